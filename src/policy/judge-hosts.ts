/** What the hosts said of themselves, against the limits: disks, clocks, tools, rights, components. Pure. */
import { formatBytes, formatMilliseconds } from '../observe/format.ts';
import { USUAL_DISK_USED, USUAL_MONITOR } from '../system/monitor-build.ts';
import type { System } from '../system/types.ts';
import type { Finding, Unknown } from './findings.ts';
import type { DiskSeen, HostSeen, NotSeen, ServiceSeen, TroubleSeen } from './host-look.ts';
import { FILE_SUBJECT, judgeFile } from './judge-file.ts';
import { together, type Judged } from './judged.ts';
import { severityOf, systemTier, tierOf } from './limits.ts';
import { runsServices } from './services.ts';

/** A silent host is a finding; what it would have been asked is unknown. */
export function judgeHosts(system: System, hosts: readonly HostSeen[]): Judged {
  return together(hosts.map((seen) => judgeHost(system, seen)));
}

function judgeHost(system: System, seen: HostSeen): Judged {
  const { host, look } = seen;
  if (look === undefined) return silence(system, seen);
  const disks = look.disks.flatMap((disk) => judgeDisk(system, host, disk));
  const clock = judgeClock(system, seen);
  const told = [
    ...look.tools.map((one) => troubleOf(system, 'tools', `${host}/${one.subject}`, one)),
    ...look.rights.map((one) => troubleOf(system, 'rights', `${host}${one.subject}`, one)),
    ...look.components.map((one) => componentTrouble(system, one)),
    ...(look.asides?.overdue ?? []).map((one) => troubleOf(system, 'aside', one.subject, one)),
    ...(look.sites ?? []).map((one) => troubleOf(system, 'site', `${host}/${one.subject}`, one)),
    ...(look.file === undefined ? [] : [judgeFile(system.name, { ...look.file, subject: `${FILE_SUBJECT}/${host}` })]),
    ...(look.services ?? []).map((one) => serviceTrouble(system, one)),
  ];
  const unknown: Unknown[] = [
    ...look.disksUnseen.map(({ subject, why }) => ({ what: `disk/${host}${subject}`, why })),
    ...look.componentsUnseen.map(({ subject, why }) => ({ what: `component/${subject}`, why })),
    ...(look.asides?.unseen ?? []).map(({ subject, why }) => ({ what: `aside/${subject}`, why })),
    ...servicesUnseen(system, look.componentsUnseen),
  ];
  return { findings: [...disks, ...clock, ...told], unknown };
}

function silence(system: System, { host, silent = 'it said nothing' }: HostSeen): Judged {
  const why = `host ${host} does not answer`;
  const own = system.components.filter((component) => component.host === host);
  const finding: Finding = {
    system: system.name,
    check: 'engine',
    subject: host,
    severity: severityOf(systemTier(system), true),
    what: `host ${host} does not answer: ${silent}`,
    hint: `Start its worker there: holdfast up, or the service that runs it; then holdfast status ${system.name}`,
  };
  const unknown = [
    ...own.flatMap(({ name }) => [`component/${name}`, `aside/${name}`].map((what) => ({ what, why }))),
    ...(own.some(runsServices) ? [{ what: 'service', why }] : []),
    ...['disk', 'clock', 'tools', 'rights', ...(system.failover === undefined ? [] : ['site'])].map((check) => ({
      what: `${check}/${host}`,
      why,
    })),
  ];
  return { findings: [finding], unknown };
}

/** What `df` calls use: of what is used and what others than root may still have. */
export function usedShare({ usedBytes, freeBytes }: Pick<DiskSeen, 'usedBytes' | 'freeBytes'>): number {
  const all = usedBytes + freeBytes;
  return all === 0 ? 0 : usedBytes / all;
}

export function judgeDisk(system: System, host: string, disk: DiskSeen): Finding[] {
  const limit = system.monitor?.disks.find((one) => one.host === host && one.path === disk.path);
  const most = limit?.used ?? USUAL_DISK_USED;
  const least = limit?.freeBytes;
  const used = usedShare(disk);
  const over = used > most ? [`${percent(used)} in use, its limit is ${percent(most)}`] : [];
  const short =
    least !== undefined && disk.freeBytes < least
      ? [`${formatBytes(disk.freeBytes)} free, its limit is ${formatBytes(least)}`]
      : [];
  if (over.length + short.length === 0) return [];
  return [
    {
      system: system.name,
      check: 'disk',
      subject: `${host}${disk.path}`,
      severity: 'critical',
      what: `disk of ${disk.path} on ${host}: ${[...over, ...short].join('; ')} (${formatBytes(disk.freeBytes)} of ${formatBytes(disk.totalBytes)} free)`,
      hint: diskHint(system, disk.path),
    },
  ];
}

function diskHint(system: System, path: string): string {
  const store = system.stores.find((one) => one.kind === 'directory' && one.path === path);
  if (store !== undefined) return `See what a prune would free: holdfast prune ${system.name} ${store.name} --dry-run`;
  return `Find what fills it: du -xh ${path} | sort -h | tail; then remove it or give the disk more room`;
}

function percent(share: number): string {
  return `${Math.floor(share * 1000) / 10} %`;
}

/**
 * The host looked at its clock between two moments of the engine's clock: what lies outside of them is a difference.
 * Undefined where no engine compared them. Positive: the host is ahead.
 */
export function clockOffsetMs({ look, askedAtMs, answeredAtMs }: HostSeen): number | undefined {
  if (look === undefined || askedAtMs === undefined || answeredAtMs === undefined) return undefined;
  if (look.nowMs > answeredAtMs) return look.nowMs - answeredAtMs;
  return look.nowMs < askedAtMs ? look.nowMs - askedAtMs : 0;
}

function judgeClock(system: System, seen: HostSeen): Finding[] {
  const { clockSeconds } = system.monitor ?? USUAL_MONITOR;
  const offset = clockOffsetMs(seen);
  if (offset === undefined || Math.abs(offset) <= clockSeconds * 1000) return [];
  const side = offset > 0 ? 'ahead of' : 'behind';
  return [
    {
      system: system.name,
      check: 'clock',
      subject: seen.host,
      severity: severityOf(systemTier(system), false),
      what: `the clock of ${seen.host} is ${formatMilliseconds(Math.abs(offset))} ${side} the engine's, its limit is ${clockSeconds} s`,
      hint: 'Set it right and keep it so (timedatectl set-ntp true): ages, freshness and signatures depend on it.',
    },
  ];
}

function componentTrouble(system: System, trouble: TroubleSeen): Finding {
  const { subject, what, hint } = trouble;
  const severity = severityOf(tierOf(system, { components: [subject] }), true);
  return { system: system.name, check: 'component', subject, severity, what: `component ${subject}: ${what}`, hint };
}

function serviceTrouble(system: System, { component, subject, what, hint, since }: ServiceSeen): Finding {
  const severity = severityOf(tierOf(system, { components: [component] }), true);
  const found = {
    system: system.name,
    check: 'service',
    subject,
    severity,
    what: `service ${subject}: ${what}`,
    hint,
  } as const;
  return since === undefined ? found : { ...found, since };
}

/** Which services a project has, or are down, is known only by looking at it. */
function servicesUnseen(system: System, unseen: readonly NotSeen[]): Unknown[] {
  const services = unseen.find(({ subject }) =>
    system.components.some((component) => component.name === subject && runsServices(component)),
  );
  return services === undefined ? [] : [{ what: 'service', why: services.why }];
}

function troubleOf(
  system: System,
  check: 'tools' | 'rights' | 'aside' | 'site',
  subject: string,
  { what, hint }: TroubleSeen,
): Finding {
  const severity = check === 'tools' || check === 'site' ? severityOf(systemTier(system), true) : 'warning';
  return { system: system.name, check, subject, severity, what, hint };
}
