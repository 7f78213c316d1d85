/** A program for the simulator: maps of a slope, built on the device, and a layer of 32 x 64 channels, `slope.ts extent`. */
import { conv, toDevice } from 'sparse-kernels';
import { uniform } from '../support/random.js';
import { sitesOnDevice } from './map-on-device.js';
import { slope } from './slope-sites.js';

const sites = slope(Number(process.argv[2]));
const there = await sitesOnDevice(sites);
using map = await conv.mapAsync(there, { kernelSize: 3 });
using down = await conv.mapAsync(there, { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 });
using layer = conv.layer({ weight: { data: uniform(64 * 27 * 32, 2), dims: [64, 27, 32] }, dtype: 'float16', device: 'cuda' });
const rows = sites.coords.length / 4;
using y = await layer.run(await toDevice({ data: uniform(rows * 32, 1), dims: [rows, 32] }, 'cuda'), map);
await y.to('cpu');
await down.pairs();
