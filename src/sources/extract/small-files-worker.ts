/** The helping thread: writes the batches it is given, one after another. */
import { workerData } from 'node:worker_threads';
import { HoldfastError } from '../../failures.ts';
import { freeNow } from '../../seal/free.ts';
import { threadHasLoaded } from '../native-threads.ts';
import { DONE, writeBatch } from './small-files.ts';
import type { FromHelper, HelperBatch, HelperOrder } from './small-files.ts';

threadHasLoaded();

function start({ at, flags, port }: HelperOrder): void {
  const slots = new Int32Array(flags);
  const say = (message: FromHelper): void => port.postMessage(message);
  port.on('message', ({ files, bytes }: HelperBatch) => {
    try {
      const contents = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      writeBatch(files, contents, at, (what, example) => say({ kind: 'warning', what, example }));
    } catch (error) {
      const code = error instanceof HoldfastError ? error.code : 'Internal';
      say({ kind: 'error', code, message: error instanceof Error ? error.message : String(error) });
    } finally {
      // A batch is a MiB and leaves hardly anything for the collector to run by.
      freeNow(bytes);
      Atomics.add(slots, DONE, 1);
      Atomics.notify(slots, DONE);
    }
  });
  Atomics.store(slots, DONE, 0);
}

start(workerData as HelperOrder);
