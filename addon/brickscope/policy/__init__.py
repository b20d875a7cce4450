"""From policy files to a compiled policy: documents with positions, models, one list of all problems, reload."""
