"""Problem kinds of the file as a whole, and of lines that could not be read as lines.

Every kind of `scope="file"` refuses the whole file: nothing of it is stored, nothing is sent.
`{value}` says which thing (a line, a column, a cell); `{allowed}` says what would be right.
"""

from __future__ import annotations

from typing import Final

from payouts.core.problems.kind import ProblemKind

__all__ = ["FILES"]

_PCI: Final = "PCI DSS requirement 3: a card number that is stored must be unreadable"
_EXCEL: Final = "A spreadsheet keeps 15 digits of a number and drops leading zeros"
_TEXT_CELLS: Final = (
    "Format the column as text before the values are typed or pasted, and export it again."
)


def _file(code: str, message: str, hint: str, source: str = "") -> ProblemKind:
    return ProblemKind(code, message, hint, scope="file", source=source)


_OPENING = (
    _file(
        "E_FILE",
        "The file was refused as a whole",
        "The message says what is wrong with it.",
    ),
    _file(
        "E_FILE_NOT_FOUND",
        "There is no file {value}",
        "Check the name and the folder.",
    ),
    _file(
        "E_FILE_UNREADABLE",
        "The file {value} cannot be opened",
        "Give this user the right to read it.",
    ),
    _file(
        "E_FILE_NOT_REGULAR",
        "{value} is {allowed}, not a file",
        "Drop the file itself: links, pipes, devices and folders are never followed.",
    ),
    _file(
        "E_FILE_TOO_LARGE",
        "The file has {value} bytes; the limit is {allowed}",
        "Split the file, or raise the limit in the settings.",
    ),
    _file("E_FILE_EMPTY", "The file is empty", "Export it again: nothing was written."),
    _file(
        "E_FILE_NO_ROWS",
        "The file has a header and no lines below it",
        "Export it again with its lines.",
    ),
    _file(
        "E_FILE_MAGIC",
        "The content is {value}, the name says {allowed}",
        "Unpack it, or give it the ending of what it is.",
    ),
    _file(
        "E_FILE_KIND",
        "The content is {value}, which is not read",
        "Save it as CSV, XLSX, JSON Lines or Parquet.",
    ),
    _file(
        "E_FILE_XML_DTD",
        "The XML of {value} declares a document type or entities",
        "Have it made again without a DTD: entities can read files and fill the memory.",
        "OWASP: XML external entity prevention",
    ),
    _file(
        "E_FILE_CHANGED",
        "The file {value} changed while it was read",
        "Write the file under another name and rename it when it is whole.",
    ),
)

_TEXT = (
    _file(
        "E_FILE_NUL",
        "There is a NUL byte in {value}",
        "Export the file again: text holds no NUL, so it is damaged or not text.",
    ),
    _file(
        "E_FILE_ENCODING",
        "The text is not UTF-8 and its code page is not certain ({value})",
        "Save it as UTF-8 (Excel: 'CSV UTF-8'), or name the encoding in the pipeline.",
    ),
    _file(
        "E_FILE_DELIMITER",
        "The character between the columns is not certain: {value}",
        "Use one of comma, semicolon, tab or | in the whole file.",
    ),
    _file(
        "E_FILE_QUOTE",
        "The quote that opens in {value} is never closed",
        "Close it, or double a quote that belongs to the text.",
        "RFC 4180, section 2",
    ),
    _file(
        "E_FILE_CUT",
        "The file ends in the middle of {value}",
        "Copy or export it again; a whole file ends with a line break.",
    ),
    _file(
        "E_FILE_LINE_TOO_LONG",
        "{value} is longer than {allowed} bytes",
        "Look for a missing line break or quote; no payment needs such a line.",
    ),
    _file(
        "E_FILE_ROWS_TOO_MANY",
        "The file has more than {allowed} lines",
        "Split the file, or raise the limit in the settings.",
    ),
    _file(
        "E_FILE_COUNT",
        "Two independent counts of the lines disagree near {value} ({allowed})",
        "Export the file again; please report this file's dialect to us.",
    ),
    _file(
        "E_FILE_JSON",
        "{value} is not a JSON object",
        "Write one object per line, its keys named like the columns of our template.",
    ),
    _file(
        "E_FILE_TRAILER",
        "The last line is a total that does not fit: {value}; the lines give {allowed}",
        "Correct the total or the lines, or remove the total line.",
    ),
    _file(
        "E_FILE_DECIMAL_AMBIGUOUS",
        "'{value}' in {allowed} can be thousands or decimals, and no other amount proves which",
        "Write amounts with a point and without thousands separators, for example 1250.00.",
    ),
    _file(
        "E_FILE_DECIMAL_MIXED",
        "Some amounts have a decimal comma and some a decimal point: {value}",
        "Use one of them in the whole file.",
    ),
)

_HEADERS = (
    _file(
        "E_FILE_HEADER_MISSING",
        "The first line names no column that we know: {value}",
        "Put the column names in the first line; `payouts template` makes a file to fill in.",
    ),
    _file(
        "E_FILE_HEADER_LATE",
        "The column names are in {value}, not in the first line",
        "Remove the lines above them.",
    ),
    _file(
        "E_FILE_HEADER_EMPTY",
        "{value} has no name",
        "Name the column, or delete it.",
    ),
    _file(
        "E_FILE_HEADER_DUPLICATE",
        "The column '{value}' appears {allowed}",
        "Keep one of them.",
    ),
    _file(
        "E_FILE_HEADER_RESERVED",
        "The column name '{value}' is ours",
        "Rename the column.",
    ),
    _file(
        "E_FILE_COLUMNS",
        "The file has {value} columns; the limit is {allowed}",
        "Delete the columns that a payment does not need.",
    ),
    _file(
        "E_FILE_COLUMN_UNKNOWN",
        "Unknown column {value}{allowed}",
        "Rename or delete the column, or map it in the pipeline.",
    ),
    _file(
        "E_FILE_COLUMN_MISSING",
        "The column {value} is missing",
        "Add it, or give its value for all lines in the pipeline.",
    ),
    _file(
        "E_FILE_COLUMN_TWICE",
        "The columns {value} both mean '{allowed}'",
        "Keep one of them, or map them in the pipeline.",
    ),
    _file(
        "E_FILE_COLUMN_CARD",
        "The column '{value}' asks for card data",
        "Never put card data into a file: pay to a token of the card vault (tok_…).",
        _PCI,
    ),
    _file(
        "E_FILE_MAPPING",
        "The pipeline's column mapping does not fit: {value}",
        "Correct the mapping; right sides are {allowed}.",
    ),
    _file(
        "E_FILE_CARDS",
        "The column '{value}' holds card numbers ({allowed}); the file was not stored",
        "Delete the file where it lies and pay to a token of the card vault (tok_…).",
        _PCI,
    ),
)

_WORKBOOKS = (
    _file(
        "E_FILE_DAMAGED",
        "The file is damaged: {value}",
        "Copy or export it again.",
    ),
    _file(
        "E_FILE_ZIP_BOMB",
        "The file unpacks to more than it may: {value}",
        "Save it again with only the payments in it, or as CSV.",
    ),
    _file(
        "E_FILE_XLSX_ENCRYPTED",
        "The workbook is protected by a password",
        "Save it without one.",
    ),
    _file(
        "E_FILE_XLSX_MACRO",
        "The workbook holds {value}",
        "Save it as a plain .xlsx without macros or links to other files.",
    ),
    _file(
        "E_FILE_XLSX_FORMULA",
        "There is a formula in {value}",
        "Copy the column and paste it as values: what is paid must stand in the file.",
    ),
    _file(
        "E_FILE_XLSX_HIDDEN",
        "The workbook hides {value}",
        "Show it or delete it: what is paid must be visible.",
    ),
    _file(
        "E_FILE_XLSX_SHEETS",
        "More than one sheet holds data: {value}",
        "Keep the sheet of payments and delete the others.",
    ),
    _file(
        "E_FILE_XLSX_MERGED",
        "There are merged cells: {value}",
        "Unmerge them, so that every line has its own values.",
    ),
    _file(
        "E_FILE_ACCOUNT_NUMERIC",
        "Account data stands in the file as numbers, not text: {value}",
        _TEXT_CELLS,
        _EXCEL,
    ),
    _file(
        "E_FILE_PARQUET_FLOAT",
        "The column '{value}' is a floating-point number",
        "Write amounts as decimal(·,2) or text: a float cannot hold a cent exactly.",
    ),
    _file(
        "E_FILE_PARQUET_TYPE",
        "The column '{value}' has the type {allowed}",
        "Write it as text.",
    ),
)

_WHOLE = (
    _file(
        "E_FILE_ALL_REJECTED",
        "No line of the file is good: it may be of another kind, or its columns have slipped",
        "Repair the lines of the reject file, or name the columns with a mapping.",
    ),
    _file(
        "E_TRANSFORM",
        "The pipeline's transform changed which lines there are, or gave two lines one reference",
        "Let it change values only; every line of a file must stay accounted for.",
        source="Promise P2",
    ),
)

_LINES = (
    ProblemKind(
        "E_LINE_FIELDS",
        "The line has {value} fields, the header has {allowed}",
        "Add the missing ones, or quote the text that holds a delimiter.",
    ),
    ProblemKind(
        "E_LINE_QUOTE",
        "A quote stands in the middle of a cell",
        "Put the whole cell in quotes and double the quote inside it.",
        source="RFC 4180, section 2",
    ),
    ProblemKind(
        "E_LINE_JSON",
        "The line is not a JSON object: {value}",
        "Write one object per line.",
        source="jsonlines.org",
    ),
    ProblemKind(
        "E_LINE_JSON_KEY",
        "The key '{value}' appears twice in the object",
        "Keep one of them.",
        source="RFC 8259, section 4: names should be unique",
    ),
    ProblemKind(
        "E_LINE_JSON_TYPE",
        "The value is {value}, not text",
        "Write it as text in quotes.",
    ),
    ProblemKind(
        "E_LINE_NUMBER",
        "The value is a number, not text: leading zeros may be lost",
        "Write it as text in quotes.",
    ),
    ProblemKind(
        "E_LINE_TWO_VALUES",
        "Two columns that mean '{allowed}' are filled with different values",
        "Leave one of them empty.",
    ),
    ProblemKind(
        "E_AMOUNT_GROUPED",
        "'{value}' can be thousands or decimals in a file with decimal commas",
        "Write it without thousands separators.",
    ),
    ProblemKind(
        "E_AMOUNT_SOURCE_CURRENCY",
        "The amount is in the payer's currency, the payment in {allowed}",
        "Give the amount in the currency that the payee gets.",
    ),
    ProblemKind(
        "E_AMOUNT_MINOR_UNITS",
        "'{value}' is read in paise, and the line is not a whole amount in INR",
        "Use the template with 'Payout Amount (in Rupees)', or the column 'amount'.",
        source="RazorpayX bulk payouts: two templates, paise and rupees",
    ),
    ProblemKind(
        "E_SPREADSHEET_EXPONENT",
        "'{value}' is what a spreadsheet makes of a long number: its last digits are lost",
        _TEXT_CELLS,
        source=_EXCEL,
    ),
    ProblemKind(
        "E_SPREADSHEET_ZEROS",
        "The value {value} has lost its leading zeros: with {allowed} its check digits fit",
        _TEXT_CELLS,
        source=_EXCEL,
    ),
    ProblemKind(
        "E_SPREADSHEET_ERROR",
        "'{value}' is an error or a filled-up cell of a spreadsheet",
        "Widen the column or repair the formula, and export it again.",
    ),
    ProblemKind(
        "E_SPREADSHEET_PRECISION",
        "The number has more than 15 digits, so a spreadsheet has changed its end",
        _TEXT_CELLS,
        source=_EXCEL,
    ),
    ProblemKind(
        "W_LINE_DUPLICATE",
        "An earlier line of this file is equal: this one is not paid",
        "Nothing is to be done if one payment was meant.",
        source="Promise P3",
    ),
    ProblemKind(
        "E_LINE_CONFLICT",
        "Lines of this file have the same reference and other content: none is paid",
        "Give every payment its own reference.",
        source="Promise P3",
    ),
    ProblemKind(
        "W_LINE_DUPLICATE_EARLIER",
        "An earlier file has this line: it is not paid again",
        "Nothing is to be done if one payment was meant.",
        source="Promise P3",
    ),
    ProblemKind(
        "E_LINE_CONFLICT_EARLIER",
        "An earlier file has this reference with other content: this line is never paid",
        "If it is another payment, give it its own reference; if the first one failed, re-issue it.",
        source="Promise P3",
    ),
    ProblemKind(
        "E_LINE_REPEATED",
        "An earlier line is equal and the file has no references: this one waits",
        "Add a reference column, or release the line if it is a second payment.",
        source="Promise P3",
    ),
)

FILES: tuple[ProblemKind, ...] = (
    *_OPENING,
    *_TEXT,
    *_HEADERS,
    *_WORKBOOKS,
    *_WHOLE,
    *_LINES,
)
