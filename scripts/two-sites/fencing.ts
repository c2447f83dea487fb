/** For one round the sites are fenced otherwise than by a lease: by the provider of the machines, or by a person's word. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Bed } from './bed.ts';
import { powerOff, type Struck } from './fault.ts';
import type { Site } from './site.ts';
import { Relay } from './witness.ts';

const PROVIDER_PORT = 9100;
const CONFIRM_SECONDS = 30;
/** What declares a lease in the system file. */
const LEASED = / {2}lease: .*\n {2}stop: .*\n/;

/** An API that takes the power from a machine: `POST /off/<site>` is answered when nothing of it runs any more. */
async function provider(bed: Bed): Promise<{ url: string; asked: string[]; close: () => Promise<void> }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const name = (request.url ?? '').replace('/off/', '');
    asked.push(name);
    const active = bed.sites.find((site) => site.name === name);
    const end = (status: number): void => void response.writeHead(status).end();
    if (active === undefined) end(404);
    else if (!active.isOn) end(200);
    else
      powerOff({ bed, active }).then(
        () => end(200),
        () => end(500),
      );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const witness = bed.net.machines.get('witness');
  if (witness === undefined) throw new Error('there is no witness');
  const relay = await Relay.open(witness, PROVIDER_PORT, (server.address() as AddressInfo).port, bed.base);
  const close = async (): Promise<void> => {
    await relay.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: relay.url, asked, close };
}

/** Returns the names of the sites whose power the failover has taken. */
export async function fenceByProvider(struck: Struck): Promise<readonly string[]> {
  const { url, asked, close } = await provider(struck.bed);
  struck.atEnd.push(close);
  const off = `[sh, -c, 'curl -sf -X POST ${url}/off/$HOLDFAST_FROM_SITE']`;
  await declare(struck, `  fencing: confirmed\n  confirm: { command: ${off}, within: ${CONFIRM_SECONDS}s }\n`);
  return asked;
}

export async function fenceByWord(struck: Struck): Promise<void> {
  await declare(struck, '  fencing: attested\n');
}

/** The guards end without anything being stopped, and come back with the lease at the end. */
async function declare({ bed, atEnd }: Struck, lines: string): Promise<void> {
  bed.isLeased = false;
  atEnd.push(() => void (bed.isLeased = true));
  for (const site of bed.sites) {
    const before = await readFile(site.systemFile, 'utf8');
    await site.endGuard();
    await writeFile(site.systemFile, before.replace(LEASED, lines));
    atEnd.push(() => leased(site, before));
  }
}

async function leased(site: Site, before: string): Promise<void> {
  await writeFile(site.systemFile, before);
  if (site.isOn) site.startGuard();
}
