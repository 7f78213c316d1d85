import { conv } from 'sparse-kernels';
import { type SimulatedCase, shortTypes } from './cases.js';
import { VISIBLE } from './masked.js';
import { mapKinds, surface } from './surface.js';

/** Submanifold 3 x 3 x 3 layers on the voxels of a surface: sites of the whole, channels. The part is a smaller surface. */
const rows: readonly [sites: number, inputs: number, out: number][] = [
  [100_000, 16, 16],
  [100_000, 32, 32],
  [100_000, 64, 64],
  [50_000, 128, 128],
  [20_000, 256, 256],
];
const PART_WIDTH = 48;

/** 3 x 3 layers of the stages of a masked ResNet (SparK): pixels along each side, channels. The part has as many sites at every stage. */
const stages: readonly [pixels: number, channels: number][] = [
  [56, 64],
  [28, 128],
  [14, 256],
  [7, 512],
];
const IMAGES = 64;

/** Maps of a surface, built on the device: the whole is simulated, as searches get longer with the sites. */
const maps: readonly [width: number, kind: 'same' | 'down'][] = [
  [316, 'same'],
  [316, 'down'],
];

export function convCases(): SimulatedCase[] {
  return [...surfaceCases(), ...maskedCases(), ...mapCases()];
}

/** Compared with the products of the pairs alone, as one dense product at full rate. The map is on the device already. */
function surfaceCases(): SimulatedCase[] {
  using map = conv.map(surface(PART_WIDTH, 1), { kernelSize: 3 });
  const partSites = PART_WIDTH ** 2;
  return rows.map(([sites, inputs, out]) => {
    const scale = sites / partSites;
    const bytes = sites * (inputs + out) * 2 + 27 * inputs * out * 2;
    return {
      name: `${shortTypes.float16}-surface-${sites}x${inputs}x${out}`,
      program: 'convolved.ts',
      args: ['surface', PART_WIDTH, 1, inputs, out],
      onOneMultiprocessor: true,
      counted: /gather_mma|convert_rows/,
      scale,
      bytes: bytes + 27 * sites * 4, // the row of each site at each offset
      dense: { multiplyAdds: map.pairCount * scale * inputs * out, type: 'half', bytes },
    };
  });
}

/** Compared with the dense layer on whole images. */
function maskedCases(): SimulatedCase[] {
  return stages.map(([pixels, channels]) => {
    const images = (56 / pixels) ** 2;
    const weightBytes = 9 * channels ** 2 * 2;
    const sites = IMAGES * pixels ** 2;
    return {
      name: `${shortTypes.float16}-spark-${IMAGES}x${pixels}x${channels}x${channels}`,
      program: 'convolved.ts',
      args: ['image', pixels, images, channels, channels],
      onOneMultiprocessor: true,
      counted: /gather_mma|convert_rows/,
      scale: IMAGES / images,
      bytes: VISIBLE * sites * (2 * channels * 2 + 9 * 4) + weightBytes,
      dense: { multiplyAdds: sites * 9 * channels ** 2, type: 'half', bytes: sites * 2 * channels * 2 + weightBytes },
    };
  });
}

/** Compared with reading the coordinates once and writing the tables of the map once. */
function mapCases(): SimulatedCase[] {
  return maps.map(([width, kind]) => {
    using map = conv.map(surface(width, 1), mapKinds[kind]);
    const bytes = width ** 2 * 16 + map.coords.length * (kind === 'same' ? 0 : 4) + (map.coords.length / 4) * (27 * 4 + 4);
    const whole = { program: 'mapped.ts', args: [width, kind], onOneMultiprocessor: false, scale: 1, bytes };
    return { name: `map-${kind}-surface-${width ** 2}`, ...whole, dense: { multiplyAdds: 0, type: 'half', bytes } };
  });
}
