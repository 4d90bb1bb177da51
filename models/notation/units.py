"""a word before or after a number ──▶ whether it is a unit; other words may be codes, such as 12a and 12b."""

from __future__ import annotations

SYMBOLS = "$€£¥₹₽₩₺₴฿¢"
CURRENCIES = frozenset({"AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "INR", "JPY",
                        "KRW", "MXN", "NOK", "NZD", "PLN", "RUB", "SEK", "SGD", "TRY", "USD", "ZAR"})  # fmt: skip
_WORDS = """
% ‰ ° °C °F °K K pm nm μm um mm cm dm m km in inch inches ft yd mi mile miles mm2 cm2 m2 km2 ha acre mm3 cm3 dm3 m3
ml mL cl dl l L liter litre gal oz lb lbs st ng μg ug mg g kg Kg KG t ton tons ns μs ms s sec min h hr hrs d day
days week weeks month months year years yr yrs Hz kHz MHz GHz mV V kV mA A W kW MW kWh MWh Wh J kJ MJ kcal cal N kN
Pa hPa kPa MPa bar mbar psi dB lm lx cd Ω ohm kΩ MΩ F μF nF pF m/s km/h mph rpm bit B kB KB MB GB TB PB KiB MiB GiB
TiB px dpi ppm ppb pcs pH
"""
UNITS = frozenset(_WORDS.split()) | CURRENCIES
"""In Unicode's form NFKC, which has one letter mu and plain digits for powers."""


def is_unit(word: str) -> bool:
    """Whether a word in Unicode's form NFKC is a unit, or has the sign of a currency at either end."""
    return word in UNITS or (bool(word) and (word[-1] in SYMBOLS or word[0] in SYMBOLS))
