"""Texts that tokenizers get wrong, for record_tokenizer_ids.py."""

# group → texts. Anything that is not plain printable ASCII is spelled by its code points.
GROUPS: dict[str, list[str]] = {
    "plain": [
        "", " ", "   ", "Hello, world!", "hello", "HELLO", "The quick brown fox jumps over the lazy dog.",
        "unaffable embeddings tokenization", "don't can't won't it's", "1234567890 3.14159 1,000,000 1e-9",
        "a", "A", ".", "...", "?!?!", "a.b.c", "e-mail co-operate --flag", "x=y+z*2^3", "C++ C# .NET",
        "http://example.org/a_b?c=d&e=f#g", "user@example.org", "snake_case CamelCase kConstant",
    ],
    "space": [
        " leading", "trailing ", "a  b", "a\tb\nc\rd", "\r\n\r\n", "a\u00a0b", "a\u1680b", "a\u2003b", "a\u2009b",
        "a\u2028b", "a\u2029b", "a\u202fb", "a\u205fb", "a\u3000b", "a\u200bb", "a\u180eb", "a\ufeffb", "\ufeffstart",
    ],
    "control": [
        "a\u0000b", "\u0000", "a\u0001b", "a\u0007b", "a\u000bb", "a\u000cb", "a\u001bb", "a\u001fb", "a\u007fb",
        "a\u0080b", "a\u0085b", "a\u009fb", "soft\u00adhyphen", "zero\u200cjoin\u200der", "a\u200e\u200fb",
        "a\u202ab\u202c", "a\u2060b", "a\u2066b\u2069", "a\u06ddb", "a\u070fb", "a\ufff9b", "a\U000e0041b",
        "\u0001\u0002\u0003", "a\ufffdb", "\ufffd",
    ],
    "accent": [
        "caf\u00e9", "cafe\u0301", "na\u00efve r\u00e9sum\u00e9", "\u00c5ngstr\u00f6m", "\u212bngstrom", "\u1e9b\u0323",
        "\u1e9b\u0307\u0323", "\u0344", "a\u0315\u0300\u05ae\u0062", "o\u0328\u0304", "\u01ed", "\u1e69 s\u0323\u0307",
        "\u0141\u00f3d\u017a", "\u00d8resund \u00e6\u00f8\u00e5", "\u00df \u1e9e", "\u0301alone", "\u0301", "e\u20dd",
        "vi\u1ec7t nam ti\u1ebfng", "\u0110\u1ed3ng", "z\u0351\u036b\u0343\u036a\u0302\u036b",
    ],
    "case": [
        "\u0130stanbul \u0131s\u0131", "I\u0307", "\u03a3\u03a3", "\u039f\u0394\u039f\u03a3",
        "\u01c5 \u01c8 \u01cb \u01f2",
        "\u01c4 \u01c6", "\u1f88 \u1f98 \u1fa8 \u1fbc", "\u0410\u0411\u0412\u0419", "\u10a0\u1c90", "\u13a0\uab70",
        "\U00010400\U00010428", "\u1e9e", "\u2126 \u212a", "\u1c89", "\ua7cb \ua7dc", "\U00010d50", "\U00016ea0",
    ],
    "compatibility": [
        "\ufb01\ufb02 \ufb03 o\ufb03ce", "\uff21\uff22\uff23 \uff11\uff12\uff13", "\uff01\uff1f", "\u2460\u2461",
        "x\u00b2 x\u2082", "\u00bd \u2153", "\u2163 \u2173", "\u2122 \u00ae \u00a9", "\u00b5m \u03bcm", "\u2026",
        "\u33a1", "\u3300", "\U0001d400\U0001d7ce", "\u2124 \u211d",
    ],
    "chinese": [
        "\u4e2d\u6587", "\u4e2d\u6587abc\u5b57", "\u4eba\u5de5\u667a\u80fd is AI", "\u3400\u4dbf", "\u4e00\u9fff",
        "\uf900\ufaff", "\ufa0e", "\U00020000\U0002a6df", "\U0002a700\U0002b73f", "\U0002b740", "\U0002b81f\U0002b820",
        "\U0002b920\U0002ceaf", "\U0002f800\U0002fa1f", "\U00030000", "\u3007\u3005", "\u2e80\u2f00", "\u3001\u3002",
        "\u300c\u4e2d\u300d",
    ],
    "kana_hangul": [
        "\u3053\u3093\u306b\u3061\u306f", "\u30ab\u30bf\u30ab\u30ca", "\u304c \u304b\u3099", "\u30d1\u30cf\u309a",
        "\uff76\uff9e", "\u30fc\u30fb", "\u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8", "\ud55c\uad6d\uc5b4",
        "\u1112\u1161\u11ab", "\u3131\u314f", "\uac00\ud7a3", "\uc548\ub155\ud558\uc138\uc694 world",
    ],
    "emoji": [
        "\U0001f600", "hi\U0001f600there", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "\u2764",
        "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e007f",
        "\U0001fae0", "\u263a\ufe0e",
    ],
    "scripts": [
        "\u0645\u0631\u062d\u0628\u0627", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627",
        "\u0640\u0644\u0627",
        "\ufefb \ufdfa", "\u0661\u0662\u0663", "\u060c\u061f\u061b", "\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05c1\u05b8",
        "\u05be\u05f3", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0915\u094d\u0937", "\u0958", "\u0964\u0965",
        "\u0b95\u0bca", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0f04\u0f0b", "\u1200\u1361",
        "\u1019\u103c\u1014\u103a",
        "\u17a2\u17d4", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440", "\u0439 \u0438\u0306",
        "\u0391\u03b8\u03ae\u03bd\u03b1 \u03ac \u1f71", "\u0531\u0561\u0589", "\u10d0\u10fb", "\u16a0\u16eb",
        "abc \u05d0\u05d1\u05d2 def",
    ],
    "punctuation": [
        "\u00ab\u00bb \u201c\u201d \u2018\u2019", "a\u2013b\u2014c", "\u00a1\u00bf", "\u00a7\u00b6",
        "$ \u00a3 \u20ac \u00a5",
        "+<=>^`|~", "\u00b4\u00a8\u00b0\u00b1\u00d7\u00f7", "\u037e \u0387", "\u166d", "\u2e42\u2e43", "\u2e5d\u2e55",
        "\U00010100\U0001e95e", "\ufe10\ufe68\uff5f", "\u2010\u2011", "_a_", "\\backslash\\",
    ],
    "unicode_age": [  # assigned after the categories that `tokenizers` uses, or never
        "a\u08e2b", "a\u0890b", "a\u07fdb", "a\u180fb", "a\u111c9b", "a\U000111c9b", "a\U00011938b", "a\U000105c9b",
        "a\U0001133bb", "a\u0378b", "a\u0560b", "a\U0001faffb", "a\u1734b", "\u302e\u07fd", "\U0001d15e",
        "a\U0001d165\U0001d16db \U0001d16d\U0001d165",
    ],
    "nothing": [  # private use and noncharacters
        "a\ue000b", "a\uf8ffb", "a\U000f0000b", "a\U0010fffdb", "a\ufffeb", "a\uffffb", "a\U0001fffeb", "a\U0010ffffb",
        "a\ufdd0b",
    ],
    "special": [
        "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[CLS] a [SEP] b", "a[MASK]b", "[cls] [mask]", "[ CLS ]", "[CLS",
        "CLS]", "[[CLS]]", "[CLS][CLS]", "[MASK].", "\u0301[SEP]\u0301", "[M\u00adASK]", "##ing", "un##ing", "# #",
        "[unused1]", "the [MASK] of France",
    ],
    "long": [
        "a" * 99, "a" * 100, "a" * 101, "a" * 100 + " " + "b" * 101 + " c", "\u00e9" * 100, "\u00e9" * 101,
        "e\u0301" * 100, "e\u0301" * 101, "\u0439" * 101, "\ud55c" * 34, "\ud55c" * 33, "x" * 5000, "-" * 200,
        "a-" * 100, "\U0001f600" * 101, "qz" * 50,
    ],
    "mixed": [
        "Tokenizers\u2019 \u201cedge\u201d cases \u2014 na\u00efve caf\u00e9, \u6771\u4eac (T\u014dky\u014d), "
        "\u041c\u043e\u0441\u043a\u0432\u0430 & \u0639\u0645\u0627\u0646!",
        "E=mc\u00b2 \u2248 9\u00d710\u00b9\u2076 J/kg; \u2202\u03c8/\u2202t = \u2212i\u0124\u03c8",
        "\u00a3100 \u2192 \u20ac115.50 (+15\u00a0%), \u2116\u00a07",
        "line one\nline two\u2028line three\u0085line four\u000bline five",
        "\u05d0[MASK]\u4e2d\U0001f600\u0000\ufffd##\u0301e\u00ad[SEP]",
    ],
}

LONG_TEXT = "All happy families are alike; every unhappy family is unhappy in its own way. " * 12
# Text, length at most, [CLS] and [SEP] included.
LIMITED = [(LONG_TEXT, 2), (LONG_TEXT, 3), (LONG_TEXT, 17), (LONG_TEXT, 128), ("short", 128), ("short", 3), ("", 2),
           ("unaffable", 3), ("unaffable", 4), ("[MASK] [MASK] [MASK]", 4), ("\ud55c\uad6d\uc5b4", 5)]


def cases():
    """Name, max_length or None, text."""
    for group, texts in GROUPS.items():
        for index, text in enumerate(texts):
            yield f"{group} {index}", None, text
    for index, (text, max_length) in enumerate(LIMITED):
        yield f"limited {index}", max_length, text
