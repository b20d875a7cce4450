"""Tests beside the policy: subjects and calls with the answers that are expected, checked without any traffic."""
