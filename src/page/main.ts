/**
 * The page's process, started and kept running by `holdfast up`:
 *
 *   node src/page/main.ts --port 8234 [--address 127.0.0.1] [--token-file FILE | --token-env NAME] [--host NAME]…
 *     [--proxy-header NAME --proxy-from ADDRESS[/BITS]…] [--ui-url URL]
 *
 * A process of its own, so that nothing it does can block or end what runs the backups.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { log } from '../observe/log.ts';
import { resolveSecret } from '../system/secrets.ts';
import { accessRules, PAGE_OPTIONS } from './options.ts';
import { createPageServer } from './server.ts';
import { Watch } from './watch/watch.ts';

const logger = log('page');
const { values } = parseArgs({ options: PAGE_OPTIONS });
const rules = await accessRules(values, resolveSecret);
const watch = new Watch({ uiUrl: values['ui-url'] });
const server = createPageServer({ rules, look: (nowMs) => watch.look(nowMs), glance: () => watch.glance() });

const ended = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
});
server.listen(Number(values.port), values.address);
await once(server, 'listening');
logger.info({ address: server.address() }, 'the page is served');
watch.start();
await ended;
server.close();
server.closeAllConnections();
// What it was looking at may take long, and nobody needs it any more.
process.exit(0);
