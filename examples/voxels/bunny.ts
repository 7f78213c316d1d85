/** The Stanford bunny (package draco3d) as voxels. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { conv } from 'sparse-kernels';

/** What is used of draco3d, which has no types of its own. */
interface Draco {
  Decoder: new () => {
    DecodeArrayToMesh(data: Int8Array, bytes: number, mesh: unknown): { ok(): boolean; error_msg(): string };
    GetAttribute(mesh: unknown, id: number): unknown;
    GetAttributeId(mesh: unknown, kind: number): number;
    GetAttributeFloatForAllPoints(mesh: unknown, attribute: unknown, values: unknown): boolean;
    GetFaceFromMesh(mesh: unknown, face: number, values: unknown): boolean;
  };
  Mesh: new () => { num_points(): number; num_faces(): number };
  DracoFloat32Array: new () => { GetValue(i: number): number };
  DracoInt32Array: new () => { GetValue(i: number): number };
  POSITION: number;
}

export interface Surface {
  /** [points, 3]: x, y, z */
  readonly points: Float32Array;
  /** [triangles, 3] */
  readonly triangles: Uint32Array;
}

export async function bunny(): Promise<Surface> {
  const require = createRequire(import.meta.url);
  const draco = (await require('draco3d').createDecoderModule({})) as Draco;
  const file = readFileSync(join(dirname(require.resolve('draco3d/package.json')), 'bunny.drc'));
  const decoder = new draco.Decoder();
  const mesh = new draco.Mesh();
  const status = decoder.DecodeArrayToMesh(new Int8Array(file.buffer, file.byteOffset, file.byteLength), file.byteLength, mesh);
  if (!status.ok()) throw new Error(status.error_msg());
  const values = new draco.DracoFloat32Array();
  decoder.GetAttributeFloatForAllPoints(mesh, decoder.GetAttribute(mesh, decoder.GetAttributeId(mesh, draco.POSITION)), values);
  const points = Float32Array.from({ length: mesh.num_points() * 3 }, (_, i) => values.GetValue(i));
  const triangles = new Uint32Array(mesh.num_faces() * 3);
  const corners = new draco.DracoInt32Array();
  for (let face = 0; face < mesh.num_faces(); face++) {
    decoder.GetFaceFromMesh(mesh, face, corners);
    for (let c = 0; c < 3; c++) triangles[face * 3 + c] = corners.GetValue(c);
  }
  return { points, triangles };
}

/**
 * The voxels that a surface passes through, `resolution` along its longest side. Features: 1, and how the surface lies inside the voxel (mean
 * offset of its samples from the centre, per axis).
 */
export function voxelise({ points, triangles }: Surface, resolution: number): conv.SparseTensor {
  const low = [0, 1, 2].map((axis) => extreme(points, axis, Math.min));
  const high = [0, 1, 2].map((axis) => extreme(points, axis, Math.max));
  const scale = (resolution - 1) / Math.max(...high.map((h, axis) => h - (low[axis] as number)));
  const cells = new Map<number, [samples: number, x: number, y: number, z: number]>();
  const corner = (vertex: number) =>
    [0, 1, 2].map((axis) => ((points[vertex * 3 + axis] as number) - (low[axis] as number)) * scale) as [number, number, number];
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [corner(triangles[t] as number), corner(triangles[t + 1] as number), corner(triangles[t + 2] as number)];
    const longest = Math.max(distance(a, b), distance(b, c), distance(c, a));
    const steps = Math.ceil(longest * 3) + 1; // samples closer than a third of a voxel
    for (let i = 0; i <= steps; i++) {
      for (let j = 0; i + j <= steps; j++) {
        const [u, v] = [i / steps, j / steps];
        const at = [0, 1, 2].map((k) => (a[k] as number) * (1 - u - v) + (b[k] as number) * u + (c[k] as number) * v);
        const [x, y, z] = at.map((p) => Math.min(resolution - 1, Math.floor(p))) as [number, number, number];
        const key = (z * resolution + y) * resolution + x;
        const cell = cells.get(key) ?? [0, 0, 0, 0];
        cell[0]++;
        for (const [k, p] of at.entries()) cell[k + 1] = (cell[k + 1] as number) + p - Math.floor(p) - 0.5;
        cells.set(key, cell);
      }
    }
  }
  const entries = [...cells];
  return conv.tensor({
    coords: Int32Array.from(
      entries.flatMap(([key]) => [0, Math.floor(key / resolution ** 2), Math.floor(key / resolution) % resolution, key % resolution]),
    ),
    features: Float32Array.from(entries.flatMap(([, [samples, ...offset]]) => [1, ...offset.map((o) => o / samples)])),
    spatialShape: [resolution, resolution, resolution],
  });
}

function extreme(points: Float32Array, axis: number, of: (a: number, b: number) => number): number {
  let found = points[axis] as number;
  for (let i = axis; i < points.length; i += 3) found = of(found, points[i] as number);
  return found;
}

function distance(a: number[], b: number[]): number {
  return Math.hypot(...a.map((p, axis) => p - (b[axis] as number)));
}
