"""How the sample files are made: chance that repeats, check digits, people, files."""
