"""Intake: from a payee file to checked lines. The only place that reads files into frames.

`survey.survey` looks at a whole file once, in constant memory, and refuses it or says what it is;
`reader.chunks` reads it again in pieces; `rejects.write_rejects` and `results.write_results` give
every line back. In between, `checks.check` says what is wrong with the lines of a chunk.
"""
