"""What an operator sees and runs: metrics and health, the fleet of workers, the certificate authority."""
