"""Small files of the structures in which data sets circulate, with invented pixels.

Each writer makes 3 classes for train, 2 for val and 2 for test, each of 3 images, and
returns the images that are expected, {split: {class: (3, H, W, C)}}.
"""

import csv
import io
import json
import pickle
import zipfile

import numpy as np
from PIL import Image

from tests.helpers.python_2 import array_of_python_2, dict_of_python_2, list_of_python_2

CLASSES = {
    "train": ("n01", "n02", "n03"),
    "val": ("n04", "n05"),
    "test": ("n06", "n07"),
}
NUMBER, SIZE = 3, 8
RENAMED = {"train": "train_phase_train", "val": "val", "test": "test"}
LISTS = {"train": "base", "val": "val", "test": "novel"}


def made(channels=3):
    """Return random images, {split: {class: (3, 8, 8, channels)}}."""
    rng = np.random.default_rng(7)
    shape = (NUMBER, SIZE, SIZE, channels)
    return {
        split: {name: rng.integers(0, 256, shape, np.uint8) for name in names}
        for split, names in CLASSES.items()
    }


def mixed(classes):
    """Return the images of a split in one array, not by class, and {class: indices}."""
    images = np.concatenate(list(classes.values()))
    order = np.random.default_rng(1).permutation(len(images))
    place = np.argsort(order)
    rows = np.split(place, len(classes))
    return images[order], {
        n: sorted(r.tolist()) for n, r in zip(classes, rows, strict=True)
    }


def kept(images, rows):
    """Return the images by class in the order of the array."""
    return {name: images[of_class] for name, of_class in rows.items()}


def labels_of(rows, first=0):
    """Return one number per image, classes numbered from the first."""
    labels = np.zeros(NUMBER * len(rows), np.int32)
    for label, of_class in enumerate(rows.values(), start=first):
        labels[of_class] = label
    return labels


def png(pixels, mode=None):
    """Return an image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).convert(mode).save(buffer, "png")
    return buffer.getvalue()


def dump(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))


def mini_class_dict(folder):
    out = {}
    for split, classes in made().items():
        images, rows = mixed(classes)
        dump(
            folder / f"mini-imagenet-cache-{split}.pkl",
            {"image_data": images, "class_dict": rows},
        )
        out[split] = kept(images, rows)
    return out


def mini_bytes(folder):
    """Keys that Python 3 read as bytes and wrote again."""
    out = {}
    for split, classes in made().items():
        images, rows = mixed(classes)
        rows_of = {name.encode(): np.array(r) for name, r in rows.items()}
        dump(
            folder / f"mini-imagenet-cache-{split}.pkl",
            {b"image_data": images, b"class_dict": rows_of},
            4,
        )
        out[split] = kept(images, rows)
    return out


def mini_python_2(folder):
    """The same, as Python 2 and NumPy 1 write it."""
    out = {}
    for split, classes in made().items():
        images, rows = mixed(classes)
        lists = {n.encode(): list_of_python_2(r) for n, r in rows.items()}
        array = array_of_python_2(images, b"u1")
        content = {b"image_data": array, b"class_dict": dict_of_python_2(lists)}
        file = folder / f"mini-imagenet-cache-{split}.pkl"
        file.write_bytes(b"\x80\x02" + dict_of_python_2(content) + b".")
        out[split] = kept(images, rows)
    return out


def with_labels(folder, name, renamed):
    out, first = {}, 0
    for split, classes in made().items():
        images, rows = mixed(classes)
        labels = labels_of(rows, first).tolist()
        dump(folder / name.format(renamed[split]), {"data": images, "labels": labels})
        numbered = {str(first + i): rows[n] for i, n in enumerate(rows)}
        out[split] = kept(images, numbered)
        first += len(rows)
    return out


def mini_labels(folder):
    for phase in ("train_phase_val", "train_phase_test"):  # of no use here
        dump(folder / f"miniImageNet_category_split_{phase}.pickle", {})
    return with_labels(folder, "miniImageNet_category_split_{}.pickle", RENAMED)


def cifar_labels(folder):
    return with_labels(
        folder, "CIFAR_FS_{}.pickle", dict(zip(CLASSES, CLASSES, strict=True))
    )


def fc100_labels(folder):
    return with_labels(
        folder, "FC100_{}.pickle", dict(zip(CLASSES, CLASSES, strict=True))
    )


def mini_csv(folder):
    data = made()
    for split, classes in data.items():
        rows = [("filename", "label")]
        for name, images in classes.items():
            for i, pixels in enumerate(images):
                rows.append((f"{name}{i:08}.jpg", name))
                place = folder / ("images" if split == "val" else f"images/{name}")
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(place / rows[-1][0], "png")  # lossless
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return data


def tiered_labels(folder, split, rows):
    names = [f"class of {name}" for name in rows]
    names[-1] = names[0]  # two classes of one name, in one category
    general = np.zeros(NUMBER * len(rows), np.int32)
    labels = {
        "label_specific": labels_of(rows),
        "label_general": general,
        "label_specific_str": names,
        "label_general_str": [f"of {split}"],
    }
    dump(folder / f"{split}_labels.pkl", labels)
    keys = [f"of {split}/{name}" for name in names]
    keys[-1] += f" ({len(rows) - 1})"
    return dict(zip(keys, rows.values(), strict=True))


def tiered_png(folder):
    out = {}
    for split, classes in made().items():
        images, rows = mixed(classes)
        out[split] = kept(images, tiered_labels(folder, split, rows))
        buffers = [np.frombuffer(png(x), np.uint8)[:, None] for x in images]
        dump(folder / f"{split}_images_png.pkl", buffers)
    return out


def tiered_npz(folder):
    out = {}
    for split, classes in made().items():
        images, rows = mixed(classes)
        out[split] = kept(images, tiered_labels(folder, split, rows))
        np.savez(folder / f"{split}_images.npz", images=images[..., [2, 1, 0]])
    return out


def cifar_zip(folder):
    data = made()
    with zipfile.ZipFile(folder / "cifar.zip", "w") as archive:
        for split, classes in data.items():
            place = f"cifar100/splits/bertinetto/{split}.txt"
            archive.writestr(place, "".join(f"{name}\n" for name in classes))
            for name, images in classes.items():
                for i, pixels in enumerate(images):
                    archive.writestr(f"cifar100/data/{name}/{i:04}.png", png(pixels))
        archive.writestr("__MACOSX/cifar100/data/n01/._0.png", "nothing")
        archive.writestr("cifar100/data/unused/0.png", "nothing")
        archive.writestr("cifar100/other/n01/0.png", "nothing")
    return data


def cifar_folder(folder):
    data = cifar_zip(folder)
    with zipfile.ZipFile(folder / "cifar.zip") as archive:
        archive.extractall(folder)
    (folder / "cifar.zip").unlink()
    return data


def cub(folder):
    data, names = made(), [f"{i:03}.bird_{i}" for i in range(7)]
    out, first = {}, 0
    for split, classes in data.items():
        images, labels = [], []
        for label, pixels in enumerate(classes.values(), start=first):
            place = folder / "CUB_200_2011" / "images" / names[label]
            place.mkdir(parents=True)
            for i, x in enumerate(pixels):  # the same file names in every folder
                Image.fromarray(x).save(place / f"bird_{i}.jpg", "png")
                images.append(f"/home/somebody/images/{names[label]}/bird_{i}.jpg")
                labels.append(label)
        lists = {"label_names": names, "image_names": images, "image_labels": labels}
        (folder / f"{LISTS[split]}.json").write_text(json.dumps(lists))
        out[split] = {names[first + i]: x for i, x in enumerate(classes.values())}
        first += len(classes)
    return out


def omniglot_json(folder):
    out = {}
    for split, classes in made(1).items():
        images, rows = mixed(classes)
        np.save(folder / f"{split}_images.npy", images)
        (folder / f"{split}_labels.json").write_text(json.dumps(rows))
        out[split] = kept(images, rows)
    return out


def omniglot_array(folder):
    """Seven characters; the test says that Omniglot has no more."""
    images = np.concatenate([x for c in made(1).values() for x in c.values()])
    images = images.reshape(7, NUMBER, SIZE, SIZE, 1)
    np.save(folder / "omniglot.npy", images.transpose(0, 1, 4, 2, 3) / 255.0)
    parts = np.split(np.arange(7), [3, 5])
    return {
        s: {f"{c:04}": images[c] for c in p}
        for s, p in zip(CLASSES, parts, strict=True)
    }


def omniglot_folders(folder):
    images = [x for c in made(1).values() for x in c.values()]
    names = sorted(f"{'AB'[c % 2]}/character{c:02}" for c in range(7))
    for name, pixels in zip(names, images, strict=True):
        (folder / "omniglot_resized" / name).mkdir(parents=True)
        for i, x in enumerate(pixels):
            file = folder / "omniglot_resized" / name / f"0001_{i:02}.png"
            file.write_bytes(png(x))
    parts = np.split(np.random.default_rng(0).permutation(7), [3, 5])
    return {
        s: {names[c]: images[c] for c in p} for s, p in zip(CLASSES, parts, strict=True)
    }


FORMS = {  # by writer: the name of the data set
    mini_class_dict: "mini-imagenet",
    mini_bytes: "mini-imagenet",
    mini_python_2: "mini-imagenet",
    mini_labels: "mini-imagenet",
    mini_csv: "mini-imagenet",
    tiered_png: "tiered-imagenet",
    tiered_npz: "tiered-imagenet",
    cifar_zip: "cifar-fs",
    cifar_folder: "cifar-fs",
    cifar_labels: "cifar-fs",
    fc100_labels: "fc100",
    cub: "cub",
    omniglot_json: "omniglot",
    omniglot_array: "omniglot",
    omniglot_folders: "omniglot",
}
