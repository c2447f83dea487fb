import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planDays, trendOf } from '../../src/page/days.ts';
import { roundBytes, roundMs } from '../../src/page/draw/scale.ts';
import type { Knowledge } from '../../src/page/facts.ts';
import { escaped, html } from '../../src/page/html.ts';
import { runUrl, webAddress } from '../../src/page/links.ts';
import { renderPage } from '../../src/page/pages.ts';
import { systemVerdict, wholeVerdict } from '../../src/page/verdict.ts';
import { waitingFor } from '../../src/page/waiting.ts';
import { enginePauseMs, storesPauseMs } from '../../src/page/watch/pauses.ts';
import { findingId, type Finding } from '../../src/policy/findings.ts';
import { ago, backup, known, NOW_MS, operation, shop } from './known.ts';

const assets = { css: '/a.css', js: '/a.js', icon: '/a.svg' };
const page = (knowledge: Knowledge, ...segments: string[]): string =>
  renderPage(segments, `/${segments.join('/')}`, knowledge, { assets, nowMs: NOW_MS }).page.text;

const finding: Finding = {
  system: 'shop',
  check: 'freshness',
  subject: 'daily',
  severity: 'critical',
  what: 'the newest backup is 3 d old, its limit is 1 d',
  hint: 'holdfast backup shop daily',
};

describe('whatever is put into the page', () => {
  const HOSTILE = `<img src=x onerror="alert(1)">'&</script>`;

  it('is text: no name, message or tag makes an element, anywhere', () => {
    const facts = shop({
      name: 'shop',
      backups: [backup({ id: 'aaaaaaaaaaaa', ageSeconds: 60, ok: true, tag: HOSTILE })],
      findings: [{ ...finding, what: HOSTILE, hint: HOSTILE, subject: HOSTILE }],
      unknown: [{ what: HOSTILE, why: HOSTILE }],
    });
    const waits = operation({ phase: HOSTILE, trouble: HOSTILE, workflowId: `shop/${HOSTILE}` });
    const running = operation({ phase: HOSTILE, waitingFor: HOSTILE, steps: [{ name: HOSTILE, state: 'running' }] });
    const ended = { workflowId: 'shop/backup/daily', runId: 'r', type: HOSTILE, startedAt: ago(9), endedAt: ago(8) };
    const engine = { operations: [waits, running], ended: [{ ...ended, outcome: 'failed' as const, why: HOSTILE }] };
    const knowledge = known([facts, { ...shop(), name: 'torn', failure: told(HOSTILE) }], engine);
    for (const text of [
      page(knowledge),
      page(knowledge, 'systems', 'shop'),
      page(knowledge, 'systems', 'shop', 'backups', 'aaaaaaaaaaaa'),
      page(knowledge, HOSTILE),
    ]) {
      expect(text).not.toContain('<img');
      expect(text).not.toContain('onerror="');
      expect(text).not.toMatch(/<\/script>(?!\s*<\/head>)/);
    }
    expect(page(knowledge)).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;&lt;/script&gt;');
  });

  it('any text: neither leaves an attribute nor begins an element', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '=', '/', 'a', ' ', '\u0000', '\u00e9') }),
        (text) => {
          expect(escaped(text)).not.toMatch(/[<>"']/);
          expect(html`<a title="${text}">${text}</a>`.text.match(/[<>"]/g)).toHaveLength(6);
        },
      ),
    );
  });

  const told = (message: string) => ({ code: 'Internal', message, hint: '', waitingHelps: false, causes: [] }) as const;
});

describe('am I safe?', () => {
  const level = (knowledge: Knowledge): string => wholeVerdict(knowledge, NOW_MS).level;

  it('all plans within their limits: yes', () => {
    expect(wholeVerdict(known(), NOW_MS)).toMatchObject({ level: 'safe', title: 'Safe' });
  });
  it('a critical finding: no, and it says which', () => {
    const verdict = wholeVerdict(known([shop({ findings: [finding] })]), NOW_MS);
    expect(verdict).toMatchObject({ level: 'danger', title: 'Not safe' });
    expect(verdict.why).toContain('The newest backup is 3 d old');
  });
  it('monitoring follows what the page can not see, such as a clock elsewhere: it counts until it has healed', () => {
    const followed = (state: 'open' | 'healed') => {
      const timeline = [{ at: ago(60), what: 'opened' }];
      const incident = { finding, state, openedAt: ago(60), level: 1, timeline } as const;
      return { incidents: [{ workflowId: `shop/incident/${findingId(finding)}`, runId: 'r', state: incident }] };
    };
    expect(level(known([shop()], followed('open')))).toBe('danger');
    expect(level(known([shop()], followed('healed')))).toBe('safe');
  });
  it('a limit passed since the stores were looked at: no, without a new look', () => {
    const late = { nowMs: NOW_MS + 86_400_000 };
    const facts = { ...shop(), lookedAtMs: late.nowMs - 1000 };
    expect(systemVerdict(facts, known().engine, late.nowMs).level).toBe('danger');
  });
  it('a plan that has just begun: not safe and no alarm, until its first backup is overdue', () => {
    const { numbers } = shop();
    if (numbers === undefined) throw new Error('the shop has numbers');
    const firstDue = { at: ago(-3600), until: ago(-7200) };
    const plans = numbers.plans.map(({ plan, backups, limits, series, copies }) => ({
      ...{ plan, backups, limits, series, copies },
      firstDue,
    }));
    const facts = shop({ numbers: { ...numbers, plans } });
    const verdict = systemVerdict(facts, known().engine, NOW_MS);
    expect(verdict).toMatchObject({ level: 'attention', title: 'Not protected yet' });
    expect(verdict.why).toContain('the first is due in 1 h');
    expect(page(known([facts]))).toContain('No backup yet: the first is due in 1 h');
    const later = NOW_MS + 7_201_000;
    expect(systemVerdict({ ...facts, lookedAtMs: later }, known().engine, later).level).toBe('danger');
  });
  it('a warning, or an operation that waits for a person: somebody should look', () => {
    expect(level(known([shop({ findings: [{ ...finding, severity: 'warning' }] })]))).toBe('attention');
    expect(level(known([shop()], { operations: [operation()] }))).toBe('attention');
  });
  it('what decides could not be looked at: not known, and not safe', () => {
    const unknown = [{ what: 'freshness/daily', why: 'the store nas can not be read' }];
    expect(level(known([shop({ unknown })]))).toBe('unknown');
    expect(level(known([shop({ unknown: [{ what: 'clock/local', why: 'no engine' }] })]))).toBe('safe');
  });
  it('nothing looked at yet, or too long ago: not known', () => {
    expect(level({ systems: [], engine: known().engine })).toBe('unknown');
    expect(level(known([shop({ lookedAtMs: NOW_MS - 3_600_000 })]))).toBe('unknown');
    expect(page(known([shop({ lookedAtMs: NOW_MS - 3_600_000 })]))).toContain('too long ago to be believed');
  });
  it('a page opened before anything is known: each of its parts has a place, where what is found later appears', () => {
    const placesOf = (knowledge: Knowledge) =>
      [...page(knowledge, 'systems', 'shop').matchAll(/id="([\w-]+)" data-live/g)].map(([, id]) => id);
    const ended = { workflowId: 'shop/backup/daily', runId: 'r', type: 'backup', startedAt: ago(9), endedAt: ago(8) };
    const all = placesOf(known([shop()], { ended: [{ ...ended, outcome: 'completed' }] }));
    expect(all).toEqual(expect.arrayContaining(['schedules', 'stores', 'logs', 'trends', 'ended', 'healed']));
    expect(placesOf(known([{ name: 'shop', backups: [], findings: [], unknown: [] }]))).toEqual(all);
  });
  it('an engine that does not answer: somebody should look, and the page says it', () => {
    const knowledge = known([shop()], { running: false, why: 'nobody listens' });
    expect(level(knowledge)).toBe('attention');
    expect(page(knowledge)).toContain('engine does not answer');
  });
  it('no plan promises anything, or no system is there: neither yes nor no', () => {
    const numbers = shop().numbers;
    const plans = (numbers?.plans ?? []).map((plan) => ({ ...plan, limits: { sizeChange: 0.5 } }));
    expect(level(known([shop({ ...(numbers === undefined ? {} : { numbers: { ...numbers, plans } }) })]))).toBe('none');
    expect(level(known([]))).toBe('none');
  });
  it('several systems: as bad as the worst, which is named', () => {
    const verdict = wholeVerdict(known([shop(), { ...shop({ findings: [finding] }), name: 'till' }]), NOW_MS);
    expect(verdict.level).toBe('danger');
    expect(verdict.why).toContain('till');
  });
});

describe('what to do', () => {
  it('an operation that waits: the command that approves exactly its plan, the one that refuses', () => {
    const [waiting] = waitingFor(known([], { operations: [operation()] }).engine, 'shop');
    expect(waiting?.approve).toBe('holdfast approve shop be49b13aa875');
    expect(page(known([shop()], { operations: [operation()] }))).toContain('holdfast approve shop be49b13aa875');
    const prune = operation({ type: 'prune', workflowId: 'shop/prune/nas' });
    const [pruning] = waitingFor(known([], { operations: [prune] }).engine, 'shop');
    expect(pruning?.approve).toBe('holdfast approve shop be49b13aa875 --operation shop/prune/nas');
    expect(pruning?.reject).toContain('--operation shop/prune/nas');
  });
  it('an incident: its timeline and the command that acknowledges it, and its finding not twice', () => {
    const state = {
      finding,
      state: 'open',
      openedAt: ago(600),
      level: 1,
      levelName: 'on call',
      timeline: [{ at: ago(600), what: 'told on call by mail' }],
    } as const;
    const incidents = [{ workflowId: 'shop/incident/freshness/daily', runId: 'i', state }];
    const text = page(known([shop({ findings: [finding] })], { incidents }), 'systems', 'shop');
    expect(text).toContain('holdfast ack shop freshness/daily');
    expect(text).toContain('told on call by mail');
    expect(text.split(`shop: ${finding.what}`)).toHaveLength(2);
  });
  it('a broken promise stands before what waits, and a warning behind it', () => {
    const warning: Finding = {
      ...finding,
      check: 'disk',
      subject: '/',
      severity: 'warning',
      what: 'the disk is 86 % full',
    };
    const text = page(known([shop({ findings: [finding, warning] })], { operations: [operation()] }));
    const places = [`shop: ${finding.what}`, 'waits for approval', warning.what].map((words) => text.indexOf(words));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });
  it('another system: its operations are not told here', () => {
    expect(waitingFor(known([], { operations: [operation({ workflowId: 'shop-2/restore' })] }).engine, 'shop')).toEqual(
      [],
    );
  });
});

it('a link into the Temporal UI: its slashes are encoded; an address that is no web address is none', () => {
  const url = runUrl({ url: 'http://127.0.0.1:8233', namespace: 'default' }, 'shop/backup/daily', 'r-1');
  expect(url).toBe('http://127.0.0.1:8233/namespaces/default/workflows/shop%2Fbackup%2Fdaily/r-1/history');
  expect(webAddress('https://temporal.example.net/ui/')).toBe('https://temporal.example.net/ui');
  for (const address of ['javascript:alert(1)', 'file:///etc/passwd', 'nonsense', '']) {
    expect(webAddress(address)).toBeUndefined();
  }
});

it('days: each backup and each failed run on its own day, of its own plan, scheduled or not', () => {
  const backups = [
    backup({ id: 'a', ageSeconds: 60, ok: true }),
    backup({ id: 'b', ageSeconds: 120, ok: false }),
    backup({ id: 'c', ageSeconds: 86_400 * 2 }),
    backup({ id: 'd', ageSeconds: 86_400 * 40 }),
    backup({ id: 'e', ageSeconds: 60, plan: 'weekly' }),
  ];
  const run = { runId: 'r', type: 'backup', startedAt: ago(86_400), outcome: 'failed' } as const;
  const ended = [
    { ...run, workflowId: 'shop/backup/daily', endedAt: ago(86_400) },
    { ...run, workflowId: 'shop/backup/daily-2026-11-20T02:00:00Z', endedAt: ago(86_400) },
    { ...run, workflowId: 'shop/backup/weekly', endedAt: ago(86_400) },
    { ...run, workflowId: 'shop/backup/daily', endedAt: ago(86_400), outcome: 'completed' as const },
  ];
  const { days } = planDays('shop', 'daily', backups, ended, NOW_MS);
  expect(days).toHaveLength(30);
  expect(days.slice(-3)).toEqual([
    { date: '2026-11-19', kept: 1, proved: 0, bad: 0, failed: 0 },
    { date: '2026-11-20', kept: 0, proved: 0, bad: 0, failed: 2 },
    { date: '2026-11-21', kept: 2, proved: 1, bad: 1, failed: 0 },
  ]);
  const trend = trendOf('daily', backups, NOW_MS);
  expect(trend.sizes.map(({ backup: id }) => id)).toEqual(['c', 'b', 'a']);
  expect(trend.durations.map(({ value }) => value)).toEqual([2000, 2000, 2000]);
});

it('axes: round numbers that hold every value, and not much more', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e15, noNaN: true }), (value) => {
      for (const round of [roundBytes, roundMs]) expect(round(value)).toBeGreaterThanOrEqual(value);
      expect(roundBytes(value)).toBeLessThanOrEqual(Math.max(2 * value, 1));
    }),
  );
});

it('looking costs little: at most a twentieth of the time on stores, rarely when nobody looks', () => {
  expect(storesPauseMs({ idleMs: 0, tookMs: 10, troubled: false })).toEqual({ least: 1000, most: 15_000 });
  expect(storesPauseMs({ idleMs: 0, tookMs: 20_000, troubled: false })).toEqual({ least: 63_000, most: 400_000 });
  expect(storesPauseMs({ idleMs: 0, tookMs: 200_000, troubled: false })).toEqual({ least: 600_000, most: 600_000 });
  expect(storesPauseMs({ idleMs: 3_600_000, tookMs: 10, troubled: false }).most).toBe(300_000);
  // What is wrong is looked at again soon, while somebody looks.
  expect(storesPauseMs({ idleMs: 0, tookMs: 7_000, troubled: true })).toEqual({ least: 24_000, most: 24_000 });
  expect(storesPauseMs({ idleMs: 0, tookMs: 180_000, troubled: true })).toEqual({ least: 30_000, most: 30_000 });
  expect(storesPauseMs({ idleMs: 3_600_000, tookMs: 20_000, troubled: true }).most).toBe(400_000);
  expect(enginePauseMs({ idleMs: 0, busy: true })).toBeLessThan(enginePauseMs({ idleMs: 0, busy: false }));
  expect(enginePauseMs({ idleMs: 3_600_000, busy: true })).toBe(30_000);
});
