"""Webhooks: endpoints and rules, messages, signing and sending, delivery, and the position of each endpoint."""
