"""Learning a rule set from the log: the smallest one that covers what was observed. Proposes, and changes nothing."""
