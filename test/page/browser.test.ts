import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { holdfast, holdfastJson, up, type RunningUp } from '../cli/holdfast.ts';
import { accessibilityTroubles, launchBrowser, openTab, overflowPx } from './browser.ts';

/** The page that a real `up` serves, in a real browser: one engine and one browser for all of it. */
vi.setConfig({ testTimeout: 240_000 });

const HOSTILE = `<img src=x onerror="alert(1)">`;
const LIMIT = { timeout: 60_000 };

let directory: string;
let home: string;
let url: string;
let running: RunningUp | undefined;
let browser: Browser;
let backup: string;
const at = (...names: string[]): string => path.join(directory, ...names);

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-page-'));
  home = at('home');
  await mkdir(at('data'));
  await mkdir(at('large'));
  await writeFile(at('data', 'peers.yaml'), 'peer: alice\n');
  await writeFile(
    at('shop.yaml'),
    [
      'system: shop',
      'stores:',
      `  nas: { kind: directory, path: ${at('nas')} }`,
      `  slow: { kind: directory, path: ${at('slow')}, bandwidth: 256KiB }`,
      'components:',
      `  config: { kind: files, path: ${at('data')} }`,
      `  large: { kind: files, path: ${at('large')} }`,
      'plans:',
      '  daily: { components: [config], stores: [nas], rpo: 1d, verify: content }',
      '  weekly: { components: [large], stores: [slow], rpo: 1w }',
      '',
    ].join('\n'),
  );
  await holdfastJson(home, ['init', at('shop.yaml'), '--kit', at('kit.txt')]);
  [running, browser] = await Promise.all([up(home, ['--page-port', '0']), launchBrowser()]);
  // A system whose file is gone. The backup is a reason to look at all of them again.
  await writeFile(at('home', 'systems', 'torn.json'), JSON.stringify({ path: at(`${HOSTILE}.yaml`) }));
  const made = await holdfastJson<{ backup: string }>(home, ['backup', 'shop', 'daily']);
  ({ backup } = made);
  const record = JSON.parse(readFileSync(at('home', 'engine', 'engine.json'), 'utf8')) as { pageUrl: string };
  url = record.pageUrl;
});

afterAll(async () => {
  await browser.close();
  await running?.stop();
  await rm(directory, { recursive: true, force: true });
});

const places = (): string[] => ['/', '/systems/shop', `/systems/shop/backups/${backup}`];

/** The backup is there when the stores have been looked at. */
async function whenKnown(page: Page): Promise<void> {
  await page.goto(`${url}/systems/shop`);
  await page.getByRole('link', { name: backup }).waitFor(LIMIT);
}

describe('the page of a running engine', () => {
  it('on a desk and on a phone, light and dark: nothing to complain of, nothing to scroll aside, accessible', async () => {
    for (const [width, height, colorScheme] of [
      [1280, 800, 'light'],
      [320, 640, 'dark'],
    ] as const) {
      await using tab = await openTab(browser, { viewport: { width, height }, colorScheme });
      await whenKnown(tab.page);
      for (const place of places()) {
        const answer = await tab.page.goto(url + place);
        expect([place, answer?.status()]).toEqual([place, 200]);
        expect([place, await overflowPx(tab.page)]).toEqual([place, 0]);
        expect(await accessibilityTroubles(tab.page)).toEqual([]);
      }
      expect(tab.complaints).toEqual([]);
    }
  });

  it('a system file that is gone, with an element for a name: told, and text', async () => {
    await using tab = await openTab(browser);
    await tab.page.goto(url);
    await tab.page.getByText(HOSTILE).first().waitFor(LIMIT);
    expect(await tab.page.locator('img').count()).toBe(0);
    await tab.page.getByRole('heading', { name: 'Not safe' }).first().waitFor(LIMIT);
    expect(tab.complaints).toEqual([]);
  });

  it('by keyboard alone: past the head to the content, and to a backup', async () => {
    await using tab = await openTab(browser);
    const { page } = tab;
    await whenKnown(page);
    await page.keyboard.press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    expect(await page.evaluate<boolean>('document.activeElement.matches("a.skip")')).toBe(true);
    expect(await skip.isVisible()).toBe(true);
    await page.keyboard.press('Enter');
    expect(await page.evaluate<boolean>('document.activeElement.matches("main")')).toBe(true);
    for (let count = 0; count < 60; count += 1) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate<string>('document.activeElement.textContent')).trim() === backup) break;
    }
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/backups/${backup}`, LIMIT);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(backup);
  });

  it('without script: everything is there, and the page can load itself again', async () => {
    await using tab = await openTab(browser, { javaScriptEnabled: false });
    const { page } = tab;
    await page.goto(`${url}/systems/shop`);
    expect(await page.getByRole('heading', { name: 'Backups', exact: true }).count()).toBe(1);
    await page.getByRole('link', { name: /Load it again every 10 seconds/ }).click();
    expect(await page.locator('meta[http-equiv=refresh]').getAttribute('content')).toBe('10');
    await page.getByRole('link', { name: 'Stop that' }).click();
    expect(await page.locator('meta[http-equiv=refresh]').count()).toBe(0);
  });

  it('[B6] a backup that runs: the open page shows how far it is, while it goes on', async () => {
    // Random, so that it can't be made smaller: 3 MiB at 256 KiB a second, several looks of the page long, also of a busy one.
    for (const name of ['a', 'b', 'c', 'd']) await writeFile(at('large', name), randomBytes(768 * 1024));
    await using tab = await openTab(browser);
    const { page } = tab;
    await page.goto(`${url}/systems/shop`);
    const weekly = holdfastJson<{ outcome: string; backup: string }>(home, ['backup', 'shop', 'weekly']);
    const section = page.locator('#running');
    await section.getByText('capture', { exact: false }).first().waitFor(LIMIT);
    const seen = new Set<string>();
    const ended = weekly.then(() => true);
    while (!(await Promise.race([ended, page.waitForTimeout(200).then(() => false)]))) {
      seen.add((await section.textContent())?.replace(/\s+/g, ' ') ?? '');
    }
    expect(seen.size).toBeGreaterThan(1);
    const made = await weekly;
    expect(made.outcome).toBe('done');
    await page.getByRole('link', { name: made.backup }).waitFor(LIMIT);
    await section
      .getByText('capture', { exact: false })
      .first()
      .waitFor({ ...LIMIT, state: 'detached' });
    expect(tab.complaints).toEqual([]);
  });

  it('a restore that waits: the open page shows its plan and the command that approves it, until somebody answers', async () => {
    await using tab = await openTab(browser);
    const { page } = tab;
    await page.goto(`${url}/systems/shop`);
    const { stdout } = await holdfast(home, ['restore', 'shop', '--plan', 'daily', '--json']);
    const { plan } = JSON.parse(stdout) as { plan: { digest: string } };
    const command = `holdfast approve shop ${plan.digest.slice(0, 12)}`;
    await page.getByText(command).waitFor(LIMIT);
    await page.getByText('Needs a look').first().waitFor(LIMIT);
    await page.getByText('The plan', { exact: true }).click();
    await page.getByText('REPLACE').waitFor(LIMIT);
    expect(await accessibilityTroubles(page)).toEqual([]);
    // What a person has opened stays open while the page is kept up to date.
    await page.waitForResponse((answer) => answer.url() === `${url}/systems/shop`, LIMIT);
    expect(await page.getByText('REPLACE').isVisible()).toBe(true);
    await holdfast(home, ['reject', 'shop', '--by', 'a test']);
    await page.getByText(command).waitFor({ ...LIMIT, state: 'detached' });
    expect(tab.complaints).toEqual([]);
  });

  it('a server that does not answer: the open page says so, and goes on when it answers again', async () => {
    await using tab = await openTab(browser);
    const { page } = tab;
    await whenKnown(page);
    await page.context().setOffline(true);
    await page.getByRole('alert').getByText('does not answer').waitFor(LIMIT);
    await page.context().setOffline(false);
    await page.locator('#lost').waitFor({ ...LIMIT, state: 'hidden' });
  });

  it('its process killed: the next one serves at the same address, and `status` tells it', async () => {
    const killed = pageProcess();
    process.kill(killed, 'SIGKILL');
    await using tab = await openTab(browser);
    await expect
      .poll(
        () =>
          tab.page.goto(url).then(
            (answer) => answer?.status(),
            () => undefined,
          ),
        LIMIT,
      )
      .toBe(200);
    expect(pageProcess()).not.toBe(killed);
    expect((await holdfast(home, ['status', 'shop', '--json'])).stdout).toContain(url);
  });
});

/** The page of this test's engine: it is told its home by the environment. */
function pageProcess(): number {
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const mine = found.filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return words.includes('src/page/main.ts') && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(home);
    } catch {
      return false;
    }
  });
  return Number(mine[0]);
}
