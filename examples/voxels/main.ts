import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generator } from '../train-submanifold/data.js';
import { bunny, voxelise } from './bunny.js';
import { writePicture } from './picture.js';
import { UNet } from './unet.js';

const resolution = Number(process.argv[2] ?? 128);
const file = process.argv[3] ?? join(tmpdir(), 'sparse-kernels-bunny.png');
const x = voxelise(await bunny(), resolution);
console.log(`${x.coords.length / 4} of ${resolution ** 3} voxels are there`);
const net = new UNet(generator(1));
const start = performance.now();
const y = await net.run(x, [16, 32, 48]);
console.log(`U-Net in ${Math.round(performance.now() - start)} ms, maps included`);
for (const { name, voxels, pairs, multiplyAdds } of net.reports) {
  console.log(`  ${name}: ${voxels} voxels, ${pairs} pairs, ${(multiplyAdds / 1e6).toFixed(0)} M multiply-adds`);
}
writePicture(file, y, Math.max(1, Math.round(512 / resolution)));
console.log(`wrote ${file}`);
