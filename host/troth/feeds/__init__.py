"""What is brought to the verifier from outside: read with suspicion, bounded, dated, and kept."""
