"""Intake: from a payee file to checked lines. The only place that reads files into frames.

`survey` looks at a whole file once, in constant memory, and refuses it or says what it is; `chunks`
reads it again in pieces; `write_rejects` and `write_results` give every line back.
"""
