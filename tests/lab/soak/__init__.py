"""The soak: an hour's worth of load in minutes, with everything going wrong that can, and the proof that nothing leaked,
was lost or grew."""
