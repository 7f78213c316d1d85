/** Shapes of planes, chosen against the strips of 1, 2, 4 and 5 vectors of 4, 8 and 16 pixels, k blocks of 64 to 256 and row blocks of 256. */
export interface PlanesCase {
  name: string;
  images: number;
  inputs: number;
  outputs: number;
  pixels: number;
  bias?: boolean;
  activation?: 'relu' | 'relu6';
  /** x, weight and out start 4 bytes into their buffers. */
  misaligned?: boolean;
}

export const planesCases: readonly PlanesCase[] = [
  { name: 'no images', images: 0, inputs: 3, outputs: 2, pixels: 4 },
  { name: 'no pixels', images: 2, inputs: 3, outputs: 2, pixels: 0 },
  { name: 'one number', images: 1, inputs: 1, outputs: 1, pixels: 1, bias: true },
  { name: 'less than a vector', images: 2, inputs: 5, outputs: 3, pixels: 3, bias: true, misaligned: true },
  ...[8, 16, 20, 33, 64, 80, 196].map((pixels) => ({ name: `${pixels} pixels`, images: 1, inputs: 19, outputs: 7, pixels, bias: true })),
  { name: 'all widths of strips', images: 1, inputs: 9, outputs: 6, pixels: 16 * 7 + 3, activation: 'relu', misaligned: true },
  { name: 'whole k blocks', images: 1, inputs: 256, outputs: 10, pixels: 49, bias: true, activation: 'relu6' },
  { name: 'a k block and one input', images: 2, inputs: 257, outputs: 5, pixels: 40, activation: 'relu' },
  { name: 'several row blocks', images: 1, inputs: 13, outputs: 519, pixels: 20, bias: true, activation: 'relu6', misaligned: true },
  { name: 'several images', images: 3, inputs: 64, outputs: 67, pixels: 64, bias: true },
];
