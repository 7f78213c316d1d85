// The process of conv-memory.test.ts: what a convolution of many voxels takes beside its inputs and outputs, at extents of 2^20 an axis.
import { readFileSync, writeFileSync } from 'node:fs';
import { conv, setNumThreads } from 'sparse-kernels';

const [voxels = 0, channels = 0] = process.argv.slice(2).map(Number);
setNumThreads(2);

/** Peak resident bytes of `work` beyond what was resident before it. Not resourceUsage(): its peak may be that of the parent process. */
function peakOf(work: () => void): number {
  const bytes = (name: string) => 1024 * Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  writeFileSync('/proc/self/clear_refs', '5'); // the peak starts from here
  const before = bytes('VmRSS');
  work();
  return bytes('VmHWM') - before;
}

const coords = new Int32Array(4 * voxels);
const width = Math.ceil(Math.sqrt(voxels));
for (let i = 0; i < voxels; i++) {
  const [y, x] = [Math.floor(i / width), i % width];
  coords.set([0, y, x, 2 ** 19 + Math.round(20 * Math.sin(y / 40) + 20 * Math.cos(x / 50))], 4 * i);
}
const features = new Float32Array(voxels * channels).fill(1);
const x = conv.tensor({ coords, features, spatialShape: [2 ** 20, 2 ** 20, 2 ** 20] });
const out = new Float32Array(voxels * channels).fill(1); // its pages are there
const layer = conv.layer({ weight: { data: new Float32Array(channels * 27 * channels).fill(0.01), dims: [channels, 3, 3, 3, channels] } });
const one = conv.tensor({ coords: Int32Array.of(0, 0, 0, 0), features: new Float32Array(channels), spatialShape: [1, 1, 1] });
layer.runSync(one, conv.map(one, { kernelSize: 3 })); // threads and code

let map: conv.ConvMap | undefined;
const building = peakOf(() => {
  map = conv.map(x, { kernelSize: 3 });
});
const running = peakOf(() => layer.runSync(x, map as conv.ConvMap, { out }));
const maps = [
  { mode: 'sparse', kernelSize: 3, padding: 1, outputs: x }, // most candidates are no outputs
  { mode: 'sparse', kernelSize: 3, padding: 1, stride: 2 },
] as const;
const others = maps.map((options) => {
  let made: conv.ConvMap | undefined;
  const peak = peakOf(() => {
    made = conv.map(x, options);
  });
  const { bytes, coords } = made as conv.ConvMap;
  return { peak, map: bytes, sites: coords.byteLength };
});
process.stdout.write(JSON.stringify({ map: map?.bytes, building, running, others }));
