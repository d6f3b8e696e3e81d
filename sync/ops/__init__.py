"""What an operator's other tools see of the program: systemd, probes, metrics, a dead-man's switch."""
