"""Making the catalogue of operations: `scripts/update-catalog`. What it makes stands in `addon/brickscope/catalog/`."""
