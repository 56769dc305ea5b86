"""Copies of data sets that are broken, and what is to be said of each.

``SPOILED`` has for each writer of ``circulating`` what spoils a folder that it wrote,
and a regular expression that the refusal must match.
"""

import numpy as np

from tests.helpers import circulating as forms
from tests.helpers.spoiling import (
    array,
    changed,
    cut,
    larger,
    lost,
    missing,
    put,
    renamed,
    twice,
    written,
)

KEYS = "must hold a dictionary with"
SHAPE = r"has an image of shape \(8, 9, 3\), expected \(8, 8, 3\)"


class NotPlain:
    """What no pickle of plain data has; nothing happens when it is unpickled."""


def file(name):
    """Return ways in which a file of a split is not there once, or not whole."""
    return [
        (missing(name), r"copy must hold each of .* once, where \{\} is \(?t"),
        (twice(name), r"copy must hold each of .* once, where \{\} is \(?t"),
        (cut(name), f"{name} cannot be read: .*; expected a whole .* file of plain"),
        (written(name, b""), f"{name} cannot be read: "),
        (written(name, b"\xff\xfe\x00hello"), f"{name} cannot be read: "),
    ]


def pickles_of_labels(name):
    def labels(value):
        return changed(name, put(value, "labels"))

    return [
        *file(name),
        (changed(name, lost("labels")), f"{KEYS} data, labels, it has data$"),
        (changed(name, put(NotPlain(), "x")), r"it asks for 'tests\..*NotPlain'"),
        (
            labels(lambda r: [100, *r[1:]]),
            r"labels of images must be from 0 to 99, got \[100\]",
        ),
        (
            labels(lambda r: [-1, *r[1:]]),
            r"labels of images must be from 0 to 99, got \[-1\]",
        ),
        (labels(lambda r: r[1:]), "labels of images are 5, not 6"),
        (labels(lambda r: [x + 0.5 for x in r]), "labels of images must be integers"),
        (labels([[5], [5, 6]]), "labels of images must be integers"),
        (labels([5, 5, 6, 6, 6, 6]), "equally many images, but '5' has 2 and '6' 4"),
        (
            labels(lambda r: [x - 5 for x in r]),
            "splits of .* share 2 classes, expected",
        ),
        (changed(name, put(lambda x: x / 255, "data")), "hold images uint8 .* float64"),
        (changed(name, put(lambda x: x[:, 0], "data")), r"uint8 .* \(6, 8, 3\)"),
        (changed(name, put(lambda x: x[..., :2], "data")), r"shape \(8, 8, 2\), exp"),
    ]


def indices(name, *keys):
    """Return wrong indices of class n06, one of two with 6 images together."""

    def of_class(value):
        return changed(name, put(value, *keys, "n06"))

    return [
        (of_class([6, 0, 1]), r"class 'n06' must be from 0 to 5, got \[6\]"),
        (of_class([-1, 0, 1]), r"class 'n06' must be from 0 to 5, got \[-1\]"),
        (of_class([0, 1, 1]), "class 'n06' must be named once, one was named before"),
        (changed(name, put([0, 1, 2, 3, 4], *keys, "n07")), "'n07' must be named once"),
        (of_class([]), "class 'n06' has no image; expected some in every class"),
        (of_class(["a"]), "class 'n06' must be integers"),
        (of_class(lambda rows: rows[1:]), "equally many images, but 'n06' has 2 and"),
    ]


MINI, CIFAR = "mini-imagenet-cache-test.pkl", "CIFAR_FS_test.pickle"
TIERED, PNG = "test_labels.pkl", "test_images_png.pkl"
NUMBERS, NAMES = "label_specific", "label_specific_str"
TIERED_LABELS = [
    *file(TIERED),
    (changed(TIERED, lost("label_general")), f"{KEYS} label_specific, .* it has"),
    (changed(TIERED, put(lambda r: r + 1, NUMBERS)), r"must be from 0 to 1, got \[2\]"),
    (
        changed(TIERED, put(lambda r: r - 1, NUMBERS)),
        r"must be from 0 to 1, got \[-1\]",
    ),
    (changed(TIERED, put(lambda r: r + 1, "label_general")), r"from 0 to 0, got \[1\]"),
    (changed(TIERED, put(lambda r: r[1:], NUMBERS)), "labels of images are 5, not 6"),
    (changed(TIERED, put(lambda n: [*n, "c"], NAMES)), r"class '\?/c' has no image"),
    (
        changed(
            TIERED,
            put(["class of n01", "class of n02"], NAMES),
            put(["of train"], "label_general_str"),
        ),
        "splits of .* share 2 classes",
    ),
    (changed(TIERED, put(NotPlain(), "x")), r"it asks for 'tests\..*NotPlain'"),
]
SPOILED = {
    forms.mini_class_dict: [
        *file(MINI),
        *indices(MINI, "class_dict"),
        (
            changed(MINI, lost("class_dict")),
            f"{KEYS} image_data, class_dict, it has im",
        ),
        (changed(MINI, lambda c: [c]), f"{KEYS} image_data, class_dict, it has none"),
        (changed(MINI, put(renamed("n06", "n01"), "class_dict")), "share 1 classes"),
        (changed(MINI, put([[0]], "class_dict")), "must hold a dictionary of classes"),
        (changed(MINI, put({}, "class_dict")), "a split of .* has no class"),
        (changed(MINI, put(None, "image_data")), "must hold images uint8 .* object"),
        (
            changed(MINI, put(lambda _: print, "x")),
            "it asks for 'builtins.print'; expected a who",
        ),
    ],
    forms.mini_labels: pickles_of_labels("miniImageNet_category_split_test.pickle"),
    forms.cifar_labels: pickles_of_labels(CIFAR),
    forms.fc100_labels: pickles_of_labels("FC100_test.pickle"),
    forms.mini_csv: [
        *file("test.csv")[:2],
        (written("test.csv", b""), "must have filename,label first"),
        (written("test.csv", b"\xff\xfe"), "test.csv cannot be read: "),
        (written("test.csv", b"file,class\n"), "must have filename,label first"),
        (written("test.csv", b"filename,label\na,b,c\n"), "and two in each row"),
        (written("test.csv", b"filename,label\n"), "a split of .* has no class"),
        (written("test.csv", b"filename,label\nx.jpg,n06\n"), "'x.jpg', .* 0 times"),
        (
            written("test.csv", 2 * b"filename,label\nn0600000000.jpg,n06\n"),
            "names 'filename', which is there 0 times",
        ),
        (
            written("test.csv", b"filename,label\n" + 2 * b"n0600000000.jpg,n06\n"),
            "n0600000000.jpg', which is there 0 times or was named before",
        ),
        (
            written("test.csv", b"filename,label\nn0600000000.jpg,n01\n"),
            "splits of .* share 1 classes",
        ),
        (
            written("test.csv", b"filename,label\nn0600000000.jpg,n06\n"),
            "equally many images, but 'n06' has 1 and 'n01' 3",
        ),
        (twice("n0600000000.jpg"), "n0600000000.jpg', which is there 2 times"),
        (cut("n0600000000.jpg"), "'n06' is left with 2 of 3 images; 1 cannot be read"),
        (missing("n0600000000.jpg"), "n0600000000.jpg', which is there 0 times"),
    ],
    forms.tiered_png: [
        *TIERED_LABELS,
        *file(PNG),
        (changed(PNG, tuple), "test_images_png.pkl must hold a list"),
        (
            changed(PNG, put(lambda b: b[:40], 2)),
            "test_images_png.pkl, image 2, cannot",
        ),
        (changed(PNG, put(None, 0)), "image 0, cannot be read as an image"),
        (changed(PNG, lambda x: x[1:]), "labels of images are 6, not 5"),
    ],
    forms.tiered_npz: [
        *TIERED_LABELS,
        *file("test_images.npz"),
        (
            array("test_images.npz", lambda c: {"x": c["images"]}),
            f"{KEYS} images, it h",
        ),
        (
            array("test_images.npz", lambda c: {"images": c["images"] / 2}),
            "must hold images uint8 .* float64",
        ),
        (
            array("test_images.npz", lambda c: {"images": np.array([c], object)}),
            "test_images.npz cannot be read: .*allow_pickle=False",
        ),
        (array("test_images.npz", lambda c: {"images": np.uint8(7)}), "images uint8"),
        (
            array("test_images.npz", lambda c: {"images": c["images"][:, :, 1:]}),
            r"shape \(8, 7, 3\), expected",
        ),
    ],
    forms.cifar_folder: [
        file("test.txt")[0],
        file("splits")[1],
        (written("test.txt", b""), "a split of .* has no class"),
        (written("test.txt", b"\xff\xfe"), "test.txt cannot be read: "),
        (written("test.txt", b"n06\nn08\n"), "class 'n08' has no image"),
        (written("test.txt", b"n06\nn01\n"), "splits of .* share 1 classes"),
        (missing("data/n06/0000.png"), "equally many images, but 'n06' has 2 and"),
        (
            cut("data/n06/0000.png"),
            "'n06' is left with 2 of 3 images; 1 cannot be read",
        ),
        (written("data/n06/0000.png", b""), "first: .*n06/0000.png cannot be read as"),
        (larger("data/n06/0000.png"), SHAPE),
    ],
    forms.cifar_zip: [
        (cut("cifar.zip"), "cifar.zip is not a whole zip file: "),
        (written("cifar.zip", b"hello"), "cifar.zip is not a whole zip file"),
        (written("cifar.zip", b""), "cifar.zip is not a whole zip file"),
        (written("cifar.zip", b"PK\x05\x06" + bytes(18)), "no copy of cifar-fs in"),
        (missing("cifar.zip"), "no copy of cifar-fs in .*; expected splits/bertinetto"),
    ],
    forms.cub: [
        *file("novel.json"),
        (changed("novel.json", lost("label_names")), f"{KEYS} label_names, image_nam"),
        (changed("novel.json", lambda c: [c]), f"{KEYS} .*, it has none"),
        (
            changed("novel.json", put(7, "image_labels", 0)),
            r"must be from 0 to 6, got \[7\]",
        ),
        (changed("novel.json", put(-1, "image_labels", 0)), r"to 6, got \[-1\]"),
        (
            changed("novel.json", lost("image_labels", 0)),
            "labels of images are 5, not 6",
        ),
        (
            changed("novel.json", put("x", "image_labels", 0)),
            "labels of images must be integers",
        ),
        (changed("novel.json", put("x.jpg", "image_names", 0)), "'x.jpg', .* 0 times"),
        (
            changed("novel.json", put(lambda x: [x[1], *x[1:]], "image_names")),
            "bird_1.jpg', which is there 0 times or was named before",
        ),
        (
            changed("novel.json", put(lambda r: [0, 0, 0, *r[3:]], "image_labels")),
            "splits of .* share 1 classes",
        ),
        (missing("images/005.bird_5/bird_0.jpg"), "bird_0.jpg', which is there 0 time"),
        (
            cut("images/005.bird_5/bird_0.jpg"),
            "is left with 2 of 3 images; 1 cannot be",
        ),
    ],
    forms.omniglot_json: [
        *file("test_images.npy"),
        *file("test_labels.json"),
        *indices("test_labels.json"),
        (
            changed("test_labels.json", lambda c: [c]),
            "must hold a dictionary of classes",
        ),
        (changed("test_labels.json", renamed("n06", "n01")), "share 1 classes"),
        (array("test_images.npy", lambda x: x / 255), "images uint8 .* float64"),
        (array("test_images.npy", lambda x: x[..., 0]), r"images uint8 .* \(6, 8, 8\)"),
        (
            array("test_images.npy", lambda x: x.astype(object)),
            "cannot be read: .*allow",
        ),
    ],
    forms.omniglot_array: [
        (cut("omniglot.npy"), "omniglot.npy cannot be read: "),
        (written("omniglot.npy", b"hello"), "omniglot.npy cannot be read: "),
        (twice("omniglot.npy"), "omniglot.npy must be there once"),
        (array("omniglot.npy", lambda x: x[1:]), "has 7 characters, here are 6"),
        (array("omniglot.npy", lambda x: 255 * x), "floats .* from 0 to 1"),
        (array("omniglot.npy", lambda x: x - 0.5), "floats .* from 0 to 1"),
        (array("omniglot.npy", lambda x: x * np.nan), "floats .* from 0 to 1"),
        (array("omniglot.npy", lambda x: x.astype(int)), "floats .* from 0 to 1"),
        (array("omniglot.npy", lambda x: x[:, 0]), "floats .* from 0 to 1"),
        (array("omniglot.npy", lambda x: x[..., 1:]), r"shape \(8, 7, 1\), expected"),
    ],
    forms.omniglot_folders: [
        (missing("character06"), "has 7 characters, here are 6"),
        (missing("character06/0001_02.png"), "equally many images, but './char.*06'"),
        (cut("character06/0001_02.png"), "character06' is left with 2 of 3 images"),
        (
            written("character06/0001_02.png", b""),
            "0001_02.png cannot be read as an im",
        ),
        (larger("character06/0001_02.png"), r"shape \(8, 9, 1\), expected \(8, 8, 1\)"),
        (twice("character06"), "Omniglot has 7 characters, here are 8"),
    ],
}
