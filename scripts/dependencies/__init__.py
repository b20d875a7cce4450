"""What the project stands on: a bill of materials (`scripts/sbom`), and its known flaws (`scripts/known-flaws`)."""
