"""What is said of a machine: from the files of one that the test makes up, and of this one."""

import pytest

from glyphlite.runtime import device

PI_CPUINFO = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\nprocessor\t: 1\nCPU part\t: 0xd0b\n"


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_raspberry_pi_is_described(tmp_path):
    write(
        tmp_path,
        {
            "proc/cpuinfo": PI_CPUINFO,
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/meminfo": "MemTotal:        8254720 kB\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2400000\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "61450\n",
            "sys/class/thermal/thermal_zone1/type": "battery\n",
            "sys/class/thermal/thermal_zone1/temp": "90000\n",
        },
    )
    found = device.describe(tmp_path)
    assert found["board"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["cpu"] == "ARM implementer 0x41 part 0xd0b"
    assert (found["memory_mib"], found["governor"], found["max_mhz"]) == (8061, "ondemand", 2400)
    now = device.state(tmp_path)
    assert (now["mhz"], now["temperature_c"]) == (1500, 61.5)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Features\t: fp asimd asimdhp asimddp", ["NEON", "dot product"]),
        ("Features\t: half thumb neon vfpv4", ["NEON"]),
        ("flags\t\t: sse2 avx2 avx512_vnni", ["AVX2", "VNNI"]),
        ("", []),
    ],
)
def test_a_processor_tells_what_makes_int8_fast(tmp_path, line, words):
    write(tmp_path, {"proc/cpuinfo": f"processor\t: 0\n{line}\n"})
    assert device.features(tmp_path) == words


def test_what_cannot_be_read_is_absent(tmp_path):
    found, now = device.describe(tmp_path), device.state(tmp_path)
    assert not {"board", "memory_mib", "governor", "max_mhz"} & set(found)
    assert not {"mhz", "temperature_c"} & set(now)
    assert found["usable_cores"] >= 1
    assert None not in found.values()


def test_this_machine_and_its_packages_are_told():
    found = device.describe()
    assert found["python"].startswith("CPython 3.")
    assert {"glyphlite", "numpy"} <= set(found["packages"])
    assert "tensorflow" not in found["packages"]  # nothing measured runs on it


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("throttled=0x0", []),
        ("throttled=0x50005", ["under-voltage", "throttled"]),  # the higher bits tell of the past
        ("throttled=0xa", ["frequency capped", "soft temperature limit"]),
        ("VCHI initialization failed", []),
        ("", []),
    ],
)
def test_a_pi_tells_what_throttles_it_now(told, words):
    assert device.throttling(told) == words


def test_a_pi_tells_what_throttled_it_before():
    assert device.throttling("throttled=0x50000") == []
    assert device.throttling("throttled=0x50000", device.SINCE_BOOT) == ["under-voltage", "throttled"]
