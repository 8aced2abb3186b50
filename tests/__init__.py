"""Tests of the project; a package, since wheels of others bring one of this name too."""
