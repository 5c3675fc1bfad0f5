import { assertEquals } from "@std/assert";
import { DiskReader } from "../../lib/exporter/disks.ts";
import { fakeHost, fakeSource } from "../metrics/fake_host.ts";
import { samplesOf } from "./exposition.ts";

const SDA = "8 0 sda 1 2 4 1500 5 6 8 2500 9 3000 4500\n";
const UDEV = `E:ID_MODEL=Disk "1"
E:ID_SERIAL_SHORT=S1
E:ID_ATA=1
E:ID_ATA_ROTATION_RATE_RPM=7200
E:ID_FS_TYPE=ext4
E:ID_FS_UUID=u-1
`;

function open(diskstats: () => string, files: Record<string, string> = {}): DiskReader {
  return new DiskReader({ ...fakeHost(files), open: () => fakeSource(diskstats) });
}

function lines(reader: DiskReader, onGap = () => {}): string[] {
  return samplesOf(reader.read(onGap));
}

Deno.test("DiskReader.read() gives what udev knows", () => {
  const shown = lines(open(() => SDA, { "/run/udev/data/b8:0": UDEV }));
  assertEquals(shown.filter((line) => /_info|_ata_/.test(line)), [
    'node_disk_info{device="sda",major="8",minor="0",path="",wwn="",model="Disk \\"1\\"",' +
    'serial="S1",revision=""} 1',
    'node_disk_filesystem_info{device="sda",type="ext4",usage="",uuid="u-1",version=""} 1',
    'node_disk_ata_rotation_rate_rpm{device="sda"} 7200',
  ]);
});

Deno.test("DiskReader.read() describes what the device mapper and ATA disks tell", () => {
  const udev = {
    "/run/udev/data/b253:0": "E:DM_NAME=vg-root\nE:DM_UUID=LVM-1\nE:DM_VG_NAME=vg\n" +
      "E:DM_LV_NAME=root\nE:DM_LV_LAYER=thin\nE:ID_ATA_WRITE_CACHE=1\n",
    "/run/udev/data/b8:0": "E:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\nE:ID_ATA_WRITE_CACHE_ENABLED=0\n" +
      "E:ID_PATH=pci-1\nE:ID_WWN=0x5\nE:ID_REVISION=2.0\nE:ID_ATA_ROTATION_RATE_RPM=fast\n" +
      "E:ID_FS_TYPE=xfs\nE:ID_FS_USAGE=filesystem\nE:ID_FS_VERSION=1.0\n",
  };
  const shown = lines(open(() => SDA + SDA.replace("8 0 sda", "253 0 dm-0"), udev));
  assertEquals(shown.filter((line) => /_info|_ata_/.test(line)), [
    'node_disk_info{device="sda",major="8",minor="0",path="pci-1",wwn="0x5",model="",serial="",' +
    'revision="2.0"} 1',
    'node_disk_info{device="dm-0",major="253",minor="0",path="",wwn="",model="",serial="",' +
    'revision=""} 1',
    'node_disk_filesystem_info{device="sda",type="xfs",usage="filesystem",uuid="",version="1.0"} 1',
    'node_disk_device_mapper_info{device="dm-0",name="vg-root",uuid="LVM-1",vg_name="vg",' +
    'lv_name="root",lv_layer="thin"} 1',
    'node_disk_ata_write_cache{device="sda"} 1',
    'node_disk_ata_write_cache_enabled{device="sda"} 0',
  ]);
});

Deno.test("DiskReader.read() leaves out partitions and loops, as node_exporter does", () => {
  const names = [
    ...["sda1", "nvme0n1p2", "loop3", "ram0", "vdb2", "hda12", "xvda1", "fd0"],
    ...["nvme0n1", "dm-0", "md0", "zram0"],
  ];
  const text = names.map((name) => SDA.replace("sda", name)).join("");
  const shown = lines(open(() => text)).filter((line) => line.startsWith("node_disk_io_now"));
  assertEquals(shown.map((line) => /"(.*)"/.exec(line)?.[1]), ["nvme0n1", "dm-0", "md0", "zram0"]);
});

Deno.test("DiskReader.read() counts a disk that comes later, of which it has no description", () => {
  let text = SDA;
  const reader = open(() => text, { "/run/udev/data/b8:0": UDEV });
  let gaps = 0;
  lines(reader, () => gaps++);
  assertEquals(gaps, 0);
  text += SDA.replace("8 0 sda", "8 16 sdb");
  const shown = lines(reader, () => gaps++);
  assertEquals(gaps, 1);
  assertEquals(shown.filter((line) => line.includes("sdb")).length, 11);
  assertEquals(shown.filter((line) => line.startsWith("node_disk_info")).length, 1);
});

Deno.test("DiskReader reads disks although it could not at the start", () => {
  let isBroken = true;
  const reader = open(() => {
    if (isBroken) throw new Error("Cannot read /proc/diskstats");
    return SDA;
  });
  isBroken = false;
  assertEquals(lines(reader).length, 11);
});

Deno.test("DiskReader.read() shows at most 1,024 disks", () => {
  const text = Array.from({ length: 1_025 }, (_, at) => SDA.replace("sda", `dm-${at}`)).join("");
  const shown = lines(open(() => text)).filter((line) => line.startsWith("node_disk_io_now"));
  assertEquals(shown.length, 1_024);
});

Deno.test("DiskReader.read() shows what newer kernels count, and counts of 0", () => {
  const text = "8 0 sda 0 0 0 0 0 0 0 0 0 0 0 12 13 14 1500 16 1700\n";
  const shown = lines(open(() => text)).filter((line) => !line.startsWith("node_disk_info"));
  assertEquals(shown.filter((line) => !line.endsWith(" 0")), [
    'node_disk_discards_completed_total{device="sda"} 12',
    'node_disk_discards_merged_total{device="sda"} 13',
    'node_disk_discarded_sectors_total{device="sda"} 14',
    'node_disk_discard_time_seconds_total{device="sda"} 1.5',
    'node_disk_flush_requests_total{device="sda"} 16',
    'node_disk_flush_requests_time_seconds_total{device="sda"} 1.7',
  ]);
  assertEquals(shown.length, 6 + 11);
});

Deno.test("DiskReader.read() gives a disk no description of another one that had its name", () => {
  let text = SDA;
  const reader = open(() => text, { "/run/udev/data/b8:0": UDEV });
  text = SDA.replace("8 0 sda", "8 16 sda");
  let gaps = 0;
  assertEquals(lines(reader, () => gaps++).filter((line) => /_info|_ata_/.test(line)), []);
  assertEquals(gaps, 1);
});
