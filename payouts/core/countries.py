"""Countries: ISO 3166-1, read from two letters, three letters or an English name.

>>> read_country("br"), read_country("BRA"), read_country("Côte d'Ivoire"), read_country("UK")
('BR', 'BR', 'CI', 'GB')
>>> read_country("World"), read_country("Atlantis")
('001', None)
>>> near("Brasil")
('Brazil (BR)',)
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COUNTRIES", "WORLD", "country_name", "is_europe", "near", "read_country"]

WORLD: Final = "001"
"""The world (UN M49): the country of a payout that goes to a network and not to a country."""

# ISO 3166-1 alpha-2, alpha-3, then the names people write, our own first. XK is in use though it
# is not in the standard.
_TABLE: Final = """
001 001 World; Worldwide; Global; International; 1
AD AND Andorra
AE ARE United Arab Emirates; UAE
AF AFG Afghanistan
AG ATG Antigua and Barbuda
AI AIA Anguilla
AL ALB Albania
AM ARM Armenia
AO AGO Angola
AQ ATA Antarctica
AR ARG Argentina
AS ASM American Samoa
AT AUT Austria
AU AUS Australia
AW ABW Aruba
AX ALA Åland Islands
AZ AZE Azerbaijan
BA BIH Bosnia and Herzegovina
BB BRB Barbados
BD BGD Bangladesh
BE BEL Belgium
BF BFA Burkina Faso
BG BGR Bulgaria
BH BHR Bahrain
BI BDI Burundi
BJ BEN Benin
BL BLM Saint Barthélemy
BM BMU Bermuda
BN BRN Brunei; Brunei Darussalam
BO BOL Bolivia
BQ BES Caribbean Netherlands
BR BRA Brazil
BS BHS Bahamas; The Bahamas
BT BTN Bhutan
BV BVT Bouvet Island
BW BWA Botswana
BY BLR Belarus
BZ BLZ Belize
CA CAN Canada
CC CCK Cocos Islands
CD COD Democratic Republic of the Congo; DR Congo; DRC
CF CAF Central African Republic
CG COG Congo; Republic of the Congo; Congo Brazzaville
CH CHE Switzerland
CI CIV Ivory Coast; Côte d'Ivoire
CK COK Cook Islands
CL CHL Chile
CM CMR Cameroon
CN CHN China
CO COL Colombia
CR CRI Costa Rica
CU CUB Cuba
CV CPV Cabo Verde; Cape Verde
CW CUW Curaçao
CX CXR Christmas Island
CY CYP Cyprus
CZ CZE Czechia; Czech Republic
DE DEU Germany
DJ DJI Djibouti
DK DNK Denmark
DM DMA Dominica
DO DOM Dominican Republic
DZ DZA Algeria
EC ECU Ecuador
EE EST Estonia
EG EGY Egypt
EH ESH Western Sahara
ER ERI Eritrea
ES ESP Spain
ET ETH Ethiopia
FI FIN Finland
FJ FJI Fiji
FK FLK Falkland Islands
FM FSM Micronesia; Federated States of Micronesia
FO FRO Faroe Islands
FR FRA France
GA GAB Gabon
GB GBR United Kingdom; Great Britain; Britain; England; UK
GD GRD Grenada
GE GEO Georgia
GF GUF French Guiana
GG GGY Guernsey
GH GHA Ghana
GI GIB Gibraltar
GL GRL Greenland
GM GMB Gambia; The Gambia
GN GIN Guinea
GP GLP Guadeloupe
GQ GNQ Equatorial Guinea
GR GRC Greece; EL; Hellas
GS SGS South Georgia and the South Sandwich Islands
GT GTM Guatemala
GU GUM Guam
GW GNB Guinea-Bissau
GY GUY Guyana
HK HKG Hong Kong
HM HMD Heard Island and McDonald Islands
HN HND Honduras
HR HRV Croatia
HT HTI Haiti
HU HUN Hungary
ID IDN Indonesia
IE IRL Ireland
IL ISR Israel
IM IMN Isle of Man
IN IND India
IO IOT British Indian Ocean Territory
IQ IRQ Iraq
IR IRN Iran
IS ISL Iceland
IT ITA Italy
JE JEY Jersey
JM JAM Jamaica
JO JOR Jordan
JP JPN Japan
KE KEN Kenya
KG KGZ Kyrgyzstan
KH KHM Cambodia
KI KIR Kiribati
KM COM Comoros
KN KNA Saint Kitts and Nevis
KP PRK North Korea
KR KOR South Korea; Korea; Republic of Korea
KW KWT Kuwait
KY CYM Cayman Islands
KZ KAZ Kazakhstan
LA LAO Laos; Lao People's Democratic Republic
LB LBN Lebanon
LC LCA Saint Lucia
LI LIE Liechtenstein
LK LKA Sri Lanka
LR LBR Liberia
LS LSO Lesotho
LT LTU Lithuania
LU LUX Luxembourg
LV LVA Latvia
LY LBY Libya
MA MAR Morocco
MC MCO Monaco
MD MDA Moldova; Republic of Moldova
ME MNE Montenegro
MF MAF Saint Martin
MG MDG Madagascar
MH MHL Marshall Islands
MK MKD North Macedonia; Macedonia
ML MLI Mali
MM MMR Myanmar; Burma
MN MNG Mongolia
MO MAC Macao; Macau
MP MNP Northern Mariana Islands
MQ MTQ Martinique
MR MRT Mauritania
MS MSR Montserrat
MT MLT Malta
MU MUS Mauritius
MV MDV Maldives
MW MWI Malawi
MX MEX Mexico
MY MYS Malaysia
MZ MOZ Mozambique
NA NAM Namibia
NC NCL New Caledonia
NE NER Niger
NF NFK Norfolk Island
NG NGA Nigeria
NI NIC Nicaragua
NL NLD Netherlands; Holland; The Netherlands
NO NOR Norway
NP NPL Nepal
NR NRU Nauru
NU NIU Niue
NZ NZL New Zealand
OM OMN Oman
PA PAN Panama
PE PER Peru
PF PYF French Polynesia
PG PNG Papua New Guinea
PH PHL Philippines
PK PAK Pakistan
PL POL Poland
PM SPM Saint Pierre and Miquelon
PN PCN Pitcairn
PR PRI Puerto Rico
PS PSE Palestine; State of Palestine
PT PRT Portugal
PW PLW Palau
PY PRY Paraguay
QA QAT Qatar
RE REU Réunion
RO ROU Romania
RS SRB Serbia
RU RUS Russia; Russian Federation
RW RWA Rwanda
SA SAU Saudi Arabia
SB SLB Solomon Islands
SC SYC Seychelles
SD SDN Sudan
SE SWE Sweden
SG SGP Singapore
SH SHN Saint Helena
SI SVN Slovenia
SJ SJM Svalbard and Jan Mayen
SK SVK Slovakia
SL SLE Sierra Leone
SM SMR San Marino
SN SEN Senegal
SO SOM Somalia
SR SUR Suriname
SS SSD South Sudan
ST STP Sao Tome and Principe; São Tomé and Príncipe
SV SLV El Salvador
SX SXM Sint Maarten
SY SYR Syria; Syrian Arab Republic
SZ SWZ Eswatini; Swaziland
TC TCA Turks and Caicos Islands
TD TCD Chad
TF ATF French Southern Territories
TG TGO Togo
TH THA Thailand
TJ TJK Tajikistan
TK TKL Tokelau
TL TLS Timor-Leste; East Timor
TM TKM Turkmenistan
TN TUN Tunisia
TO TON Tonga
TR TUR Turkey; Türkiye; Turkiye
TT TTO Trinidad and Tobago
TV TUV Tuvalu
TW TWN Taiwan
TZ TZA Tanzania; United Republic of Tanzania
UA UKR Ukraine
UG UGA Uganda
UM UMI United States Minor Outlying Islands
US USA United States; United States of America; America
UY URY Uruguay
UZ UZB Uzbekistan
VA VAT Vatican City; Holy See
VC VCT Saint Vincent and the Grenadines
VE VEN Venezuela
VG VGB British Virgin Islands
VI VIR US Virgin Islands
VN VNM Vietnam; Viet Nam
VU VUT Vanuatu
WF WLF Wallis and Futuna
WS WSM Samoa
XK XKX Kosovo
YE YEM Yemen
YT MYT Mayotte
ZA ZAF South Africa
ZM ZMB Zambia
ZW ZWE Zimbabwe
"""

_EUROPE: Final = frozenset(
    {"eu", "eur", "europe", "european union", "eurozone", "euro area", "euro zone", "sepa", "eea"}
)
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")
_PREFIX = 3
_NEAR_MAX = 3


def _rows() -> list[tuple[str, str, list[str]]]:
    rows = (line.split(" ", 2) for line in _TABLE.strip().splitlines())
    return [(alpha2, alpha3, names.split("; ")) for alpha2, alpha3, names in rows]


COUNTRIES: Final[Mapping[str, str]] = MappingProxyType({row[0]: row[2][0] for row in _rows()})
"""Alpha-2 code → English name."""


def country_name(code: str) -> str:
    """The English name of an alpha-2 code; the code itself where it has none."""
    return COUNTRIES.get(code, code)


def read_country(word: str) -> str | None:
    """The alpha-2 code that a code or an English name stands for, or None.

    Case, accents and punctuation do not matter. Nothing is guessed: `near` proposes.
    """
    return _words().get(_folded(word))


def is_europe(word: str) -> bool:
    """Whether the word names Europe or SEPA, which the platform lists as if it were a country."""
    return _folded(word) in _EUROPE


def near(word: str) -> tuple[str, ...]:
    """Up to three countries whose name begins as the word does, as `Brazil (BR)`."""
    found = _prefixes().get(_folded(word)[:_PREFIX], ())
    return tuple(f"{COUNTRIES[code]} ({code})" for code in found[:_NEAR_MAX])


def _folded(word: str) -> str:
    """Lower-case ASCII letters and digits of a word, other runs as one blank."""
    plain = unicodedata.normalize("NFKD", word[:80]).encode("ascii", "ignore").decode().lower()
    return _NOT_LETTERS.sub(" ", plain).strip()


@cache
def _words() -> dict[str, str]:
    words = {_folded(name): code for code, _, names in _rows() for name in names}
    words |= {alpha3.lower(): code for code, alpha3, _ in _rows()}
    return words | {code.lower(): code for code, _, _ in _rows()}


@cache
def _prefixes() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for code, name in COUNTRIES.items():
        prefix = _folded(name)[:_PREFIX]
        found[prefix] = (*found.get(prefix, ()), code)
    return found
