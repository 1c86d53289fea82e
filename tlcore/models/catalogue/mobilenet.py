"""Small and quick networks for phones and processors without a GPU (arXiv 1905.02244, 2404.10518)."""

from tlcore.models.catalogue.entry import IMAGENET_1K, KINDS_1K, timm_entry

ENTRIES = (
    timm_entry(
        "mobilenetv3_small_100.lamb_in1k",
        "MobileNetV3 small",
        "timm",
        2_542_856,
        224,
        "apache-2.0",
        KINDS_1K,
        IMAGENET_1K,
    ),
    timm_entry(
        "mobilenetv4_conv_small.e2400_r224_in1k",
        "MobileNetV4 small",
        "timm",
        3_774_024,
        224,
        "apache-2.0",
        KINDS_1K,
        IMAGENET_1K,
    ),
    timm_entry(
        "mobilenetv3_large_100.ra_in1k",
        "MobileNetV3 large",
        "timm",
        5_483_032,
        224,
        "apache-2.0",
        KINDS_1K,
        IMAGENET_1K,
    ),
    timm_entry(
        "mobilenetv4_conv_medium.e500_r256_in1k",
        "MobileNetV4 medium",
        "timm",
        9_715_512,
        256,
        "apache-2.0",
        KINDS_1K,
        IMAGENET_1K,
    ),
)
