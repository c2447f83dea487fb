/** A process of its own that holds an engine, for tests that kill it: prints the server's process id, then waits. */
import { startUp } from '../../src/engine/up.ts';

const engine = await startUp({ hosts: [], workers: false, port: 0, uiPort: false });
process.stdout.write(`${engine.processes()['server'] ?? 0}\n`);
setInterval(() => undefined, 60_000);
