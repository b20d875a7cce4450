"""Real parsers as oracles: what they read in a body or query is held against what the rules made of it."""
