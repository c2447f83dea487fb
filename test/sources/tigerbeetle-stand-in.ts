#!/usr/bin/env node
/**
 * Behaves as `tigerbeetle` does towards a checker, by what stands in its data file: JSON instead of blocks. It logs each
 * call beside the file, so that a test can see the order.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';

interface DataFile {
  readonly replicaCount: number;
  readonly storageSize: number;
  /** What the program does with it. */
  readonly state: 'good' | 'torn' | 'hangs' | 'broken';
  readonly recovered?: boolean;
}

const args = process.argv.slice(2);
const option = (name: string): string => args.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? '';
const path = args.at(-1) ?? '';

function load(): DataFile {
  appendFileSync(`${path}.calls`, `${args.slice(0, -1).join(' ').replace(/:\d+/, '')}\n`);
  return JSON.parse(readFileSync(path, 'utf8')) as DataFile;
}

function superblock({ replicaCount, storageSize }: DataFile): void {
  console.log(`|___ copy=0\n_|__ copy=1`);
  console.log('|||| cluster=0x0000000000000000000000000000002a\n|||| sequence=7');
  console.log(`|||| vsr_state.checkpoint.storage_size=${storageSize}`);
  console.log('|||| vsr_state.checkpoint.release=0.16.63\n|||| vsr_state.checkpoint.manifest_block_count=0');
  console.log(`|||| vsr_state.commit_max=960\n|||X vsr_state.replica_count=${replicaCount}`);
}

function integrity({ state, recovered }: DataFile): void {
  if (state === 'broken') process.exitCode = 134;
  if (state === 'hangs') setInterval(() => undefined, 60_000);
  // A crash image is good, and yet the check of its log fails until a server has recovered it.
  if (!args.includes('--skip-wal') && recovered !== true) process.exitCode = 134;
}

function serve(data: DataFile): void {
  const [host = '', port = ''] = option('addresses').split(':');
  createServer((socket) => socket.end('here')).listen(Number(port), host, () => {
    console.error('info(main): 0: listening');
    if (data.state === 'torn') setInterval(() => console.error('warning(grid): wrong checksum'), 50);
    else {
      writeFileSync(path, JSON.stringify({ ...data, recovered: true }));
      console.error('info(replica): 0n: transition_to_normal: view=1');
    }
  });
}

function query(): void {
  const [host = '', port = ''] = option('addresses').split(':');
  const socket = connect(Number(port), host);
  socket.once('data', () => {
    console.log(`${option('cluster')}: No accounts were found.`);
    socket.destroy();
  });
  socket.once('error', () => (process.exitCode = 1));
}

if (args[0] === 'inspect' && args[1] === 'superblock') superblock(load());
else if (args[0] === 'inspect') integrity(load());
else if (args[0] === 'start') serve(load());
else query();
