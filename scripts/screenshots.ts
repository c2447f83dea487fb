/**
 * `npm run screenshots`: the pictures of the page in docs/pictures, of a real engine with two systems of files: backups
 * that were made, one that runs, a restore that waits. Takes about two minutes.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser } from 'playwright-core';
import { Holdfast } from '../sample/stack/holdfast.ts';
import { prepare, runMain } from './setup.ts';

const PICTURES = path.resolve(import.meta.dirname, '..', 'docs', 'pictures');
const KNOWN_MS = 60_000;

interface Picture {
  readonly name: string;
  readonly place: string;
  readonly width: number;
  readonly height: number;
  readonly dark: boolean;
}

const ON_A_DESK: readonly Picture[] = [
  { name: 'page', place: '/', width: 1120, height: 800, dark: false },
  { name: 'page-dark', place: '/systems/shop', width: 1120, height: 1280, dark: true },
];
const ON_A_PHONE: readonly Picture[] = [
  { name: 'page-phone', place: '/systems/ledger', width: 390, height: 780, dark: false },
  { name: 'page-phone-dark', place: '/', width: 390, height: 780, dark: true },
];

/** A system of two trees with two plans, in two stores; the second one slow where something is to be seen running. */
function systemFile(at: (name: string) => string, name: string, slow: boolean): string {
  const bandwidth = slow ? ', bandwidth: 1MiB' : '';
  return [
    `system: ${name}`,
    'stores:',
    `  nas: { kind: directory, path: ${at(`${name}-nas`)}, place: office, medium: nas${bandwidth} }`,
    `  vault: { kind: directory, path: ${at(`${name}-vault`)}, place: elsewhere }`,
    'components:',
    `  config: { kind: files, path: ${at(`${name}-config`)} }`,
    `  uploads: { kind: files, path: ${at(`${name}-uploads`)} }`,
    'plans:',
    '  hourly: { components: [config], stores: [nas, vault], schedule: 7 * * * *, rpo: 2h, verify: content }',
    '  daily: { components: [config, uploads], stores: [nas, vault], schedule: 0 2 * * *, rpo: 26h, verify: content }',
    '',
  ].join('\n');
}

async function makeSystem(holdfast: Holdfast, directory: string, name: string, slow: boolean): Promise<void> {
  const at = (one: string): string => path.join(directory, one);
  for (const tree of ['config', 'uploads']) await mkdir(at(`${name}-${tree}`), { recursive: true });
  await writeFile(at(`${name}-config/settings.yaml`), 'currency: EUR\n');
  await writeFile(at(`${name}.yaml`), systemFile(at, name, slow));
  await holdfast.ask('init', at(`${name}.yaml`), '--kit', at(`${name}.kit`));
}

/** Some backups, each a little larger. */
async function makeHistory(holdfast: Holdfast, directory: string, name: string, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const bytes = randomBytes(40_000 + Math.round(30_000 * Math.abs(Math.sin(round))));
    await writeFile(path.join(directory, `${name}-uploads`, `photo-${round}.jpg`), bytes);
    await writeFile(path.join(directory, `${name}-config`, `peer-${round}.yaml`), bytes.subarray(0, 9000));
    await holdfast.ask('backup', name, round % 3 === 2 ? 'daily' : 'hourly');
    await sleep(2_000);
  }
}

async function take(browser: Browser, url: string, picture: Picture): Promise<void> {
  const { name, place, width, height, dark } = picture;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.goto(url + place);
  await page
    .getByText(/^(Safe|Needs a look)$/)
    .first()
    .waitFor({ timeout: KNOWN_MS });
  await sleep(4_000);
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
  console.log(`docs/pictures/${name}.png`);
  await context.close();
}

async function main(): Promise<number> {
  await using prepared = await prepare('demo-without-docker');
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-pictures-'));
  const holdfast = new Holdfast(path.join(directory, 'home'), prepared.environment);
  await mkdir(holdfast.home);
  try {
    await makeSystem(holdfast, directory, 'ledger', false);
    await makeSystem(holdfast, directory, 'shop', true);
    const up = await holdfast.up('--port', '0', '--ui-port', '0', '--page-port', '0');
    const program = process.env['HOLDFAST_CHROMIUM'] ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox'] });
    try {
      const { pageUrl = '' } = holdfast.engine() ?? {};
      await holdfast.run('apply', '--yes');
      await makeHistory(holdfast, directory, 'ledger', 3);
      await makeHistory(holdfast, directory, 'shop', 6);
      for (const picture of ON_A_PHONE.slice(0, 1)) await take(browser, pageUrl, picture);
      // Waits for approval: exit 2.
      await holdfast.run('restore', 'ledger', '--component', 'config', '--json');
      await writeFile(path.join(directory, 'shop-uploads', 'film.mp4'), randomBytes(40 * 1024 * 1024));
      const backup = holdfast.start(['backup', 'shop', 'daily', '--json']);
      await sleep(16_000);
      for (const picture of [...ON_A_DESK, ...ON_A_PHONE.slice(1)]) await take(browser, pageUrl, picture);
      backup.kill('SIGKILL');
    } finally {
      await browser.close();
      await up.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return 0;
}

await runMain(main, 'npm run screenshots    pictures of the page, in docs/pictures');
