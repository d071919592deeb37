"""The gallery of video templates (seeds 000 and 001; 001 is the later, aligned one)."""
