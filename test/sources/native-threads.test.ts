/** Threads that are ended at any moment of their beginning: the process lives on. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const MODULE = path.resolve(import.meta.dirname, '../../src/sources/native-threads.ts');

it('threads that load an addon, and threads of theirs, are ended at once: the process goes on, and none is left loading', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-threads-'));
  try {
    const thread = path.join(directory, 'thread.ts');
    await writeFile(
      thread,
      [
        `import ${JSON.stringify(path.resolve(import.meta.dirname, '../../src/sources/system-calls.ts'))};`,
        `import { isMainThread, workerData } from 'node:worker_threads';`,
        `import { startThread, threadHasLoaded } from ${JSON.stringify(MODULE)};`,
        `if (!isMainThread && workerData.deeper) startThread(new URL(import.meta.url), { workerData: { deeper: false } });`,
        `threadHasLoaded();`,
        `setInterval(() => undefined, 1000);`,
      ].join('\n'),
    );
    const main = path.join(directory, 'main.ts');
    await writeFile(
      main,
      [
        `import { endThread, startThread } from ${JSON.stringify(MODULE)};`,
        `for (let n = 0; n < 12; n += 1) {`,
        `  const threads = [0, 1].map((k) => startThread(new URL(${JSON.stringify(`file://${thread}`)}), { workerData: { deeper: k === 0 } }));`,
        `  await new Promise((resolve) => setTimeout(resolve, n * 7));`,
        `  await Promise.all(threads.map((one) => endThread(one)));`,
        `}`,
        `console.log('alive');`,
      ].join('\n'),
    );
    const { stdout } = await run(process.execPath, [main], { timeout: 120_000 });
    expect(stdout).toBe('alive\n');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
