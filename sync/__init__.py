"""Keeps Crun's catalog of ByteDance video-effect templates in a database of yours."""

__version__ = "0.2.0"
