/** The thread that scans: walks, groups, and waits while the receiver has not taken enough of what was sent. */
import { parentPort } from 'node:worker_threads';
import { HoldfastError } from '../../failures.ts';
import { threadHasLoaded } from '../native-threads.ts';
import { systemCallsProblem } from '../system-calls.ts';
import { GroupBuilder } from './groups.ts';
import type { ScanMessage, ScanOrder } from './scan.ts';
import { STOP, WAITING } from './scan.ts';
import type { Note } from './notes.ts';
import { walkTree } from './walk.ts';

class Stopped extends Error {}

function run(order: ScanOrder, send: (message: ScanMessage, transfer?: ArrayBuffer[]) => void): void {
  const flags = new Int32Array(order.flags);
  const builder = new GroupBuilder(order.scanStartMs, (group) => {
    send({ kind: 'group', group }, [group.records.buffer]);
    let waiting = Atomics.add(flags, WAITING, 1) + 1;
    while (waiting >= order.mostWaiting && Atomics.load(flags, STOP) === 0) {
      Atomics.wait(flags, WAITING, waiting);
      waiting = Atomics.load(flags, WAITING);
    }
    if (Atomics.load(flags, STOP) !== 0) throw new Stopped();
  });
  const notes = walkTree(order.root, order.walk, (entry) => builder.add(entry));
  builder.end();
  const problem = systemCallsProblem();
  const more: Note[] = problem === undefined ? [] : [{ kind: 'noXattrs', count: 1, examples: [problem] }];
  send({ kind: 'end', notes: [...notes.list(), ...more] });
}

const port = parentPort;
// Loaded before the order comes: a thread that is started ahead shall have nothing left to do.
systemCallsProblem();
threadHasLoaded();
port?.once('message', (order: ScanOrder) => {
  try {
    run(order, (message, transfer) => port.postMessage(message, transfer));
  } catch (error) {
    if (!(error instanceof Stopped)) {
      const code = error instanceof HoldfastError ? error.code : 'Internal';
      port.postMessage({ kind: 'error', code, message: error instanceof Error ? error.message : String(error) });
    }
  }
});
port?.postMessage({ kind: 'ready' } satisfies ScanMessage);
