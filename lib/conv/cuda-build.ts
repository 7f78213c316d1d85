/** Maps of sites on a device, built there. */
import type { NativeDeviceMap } from '../../types/map.js';
import { type DeviceCallOptions, DeviceTensor, deviceCall } from '../device-tensor.js';
import { SparseKernelsError, typeError } from '../errors.js';
import { native } from '../native.js';
import { describe } from '../validate.js';
import { CudaMap, type CudaMapOptions } from './cuda-conv-map.js';
import { geometry } from './geometry.js';
import { expectOnlyPaired, type MapStep, mapSteps, modeOf, nativeGeometry } from './map-steps.js';
import { type DeviceSites, deviceSitesOf, expectSameGrid, rowsOf } from './sites.js';

export async function mapOnDevice(x: DeviceSites, { signal, stream, ...o }: CudaMapOptions): Promise<CudaMap> {
  const where = { ...(signal && { signal }), stream };
  const mode = modeOf(o.mode);
  const input = deviceSitesOf(x, 'x');
  if (mode === 'inverse') return inverse(input, o, where);
  const kind = { sitesOf: deviceSitesOf, found: foundAlone };
  const steps = mapSteps<DeviceSites, NativeDeviceMap>(mode, input, geometry(mode, input.spatialShape, o), o, kind);
  for (let step = steps.next(); ; ) {
    if (step.done) {
      const { kernel, output, outShape, live } = step.value;
      return new CudaMap(mode, kernel, input, output ?? found(live, input, outShape), live);
    }
    step = steps.next(await built(step.value, where));
  }
}

async function built(step: MapStep<DeviceSites>, where: DeviceCallOptions): Promise<NativeDeviceMap> {
  const { input, given } = step;
  const live = new native.DeviceMap(undefined);
  const geometry = nativeGeometry(step);
  await deviceCall(where, { coords: input.coords, outCoords: given?.coords }, (arrays, call) =>
    live.build({ ...geometry, ...arrays, rows: rowsOf(input), outRows: given && rowsOf(given) }, call),
  );
  live.take();
  return live;
}

function found(live: NativeDeviceMap, { batchSize }: DeviceSites, spatialShape: readonly number[]): DeviceSites {
  const coords = new DeviceTensor('int32', [live.outRows, 1 + spatialShape.length], undefined, new native.DeviceArray(live));
  return { coords, spatialShape, batchSize };
}

function foundAlone(live: NativeDeviceMap, input: DeviceSites, spatialShape: readonly number[]): DeviceSites {
  const sites = found(live, input, spatialShape);
  live.dispose();
  return sites;
}

async function inverse(input: DeviceSites, o: CudaMapOptions, where: DeviceCallOptions): Promise<CudaMap> {
  const { paired } = o;
  if (!(paired instanceof CudaMap)) {
    throw typeError('ERR_SK_TYPE', `expected paired to be a map on the device but received ${describe(paired)}`);
  }
  expectOnlyPaired(o);
  expectSameGrid(input, paired.output, 'x to be at the output sites of paired');
  if (input.coords !== paired.coords) {
    throw new SparseKernelsError('ERR_SK_COORDINATES', 'expected x to have the coordinates tensor of paired, but received another one');
  }
  const { kernelSize, kernelVolume } = paired;
  return paired.handle.use(async (live) => {
    const swapped = new native.DeviceMap(undefined);
    await deviceCall(where, {}, (_, call) => swapped.swap(live, call));
    swapped.take();
    return new CudaMap('inverse', { kernelSize, kernelVolume }, paired.output, paired.input, swapped);
  });
}
