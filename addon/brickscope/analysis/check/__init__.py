"""What a policy allows without meaning to: lints of a loaded policy, each finding with a code, a place and a proof."""
