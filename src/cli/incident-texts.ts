/** Incidents as a person reads them. Pure. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatCount } from '../observe/format.ts';
import type { AlarmEntry } from '../notify/alarm-log.ts';
import type { KnownIncident } from '../status/incidents.ts';
import type { IncidentState } from '../workflows/contract.ts';

const SHOWN_EVENTS = 5;

export function incidentsText(incidents: readonly KnownIncident[], colours: Colours, nowMs: number): string {
  if (incidents.length === 0) return `${colours.green('no incident')}: nothing is known to be wrong`;
  return incidents.map((one) => incidentText(one, colours, nowMs)).join('\n\n');
}

/** One line of the alarm log. */
export function alarmText({ at, incident, severity, what, by }: AlarmEntry, colours: Colours): string {
  const who = by === undefined ? '' : ` (${by})`;
  const shade = severity === 'critical' ? colours.red : colours.yellow;
  return `${colours.dim(at)} ${shade(severity)} ${colours.bold(incident)} ${what}${who}`;
}

function incidentText({ system, id, running, incident }: KnownIncident, colours: Colours, nowMs: number): string {
  const head = colours.bold(`${system} ${id}`);
  if (incident === undefined) {
    return `${head}  ${running ? 'runs, and no worker could say more' : 'was ended'}`;
  }
  const { finding, timeline } = incident;
  const opened = `opened ${formatAge(Date.parse(incident.openedAt), nowMs)}`;
  const shown = timeline.slice(-SHOWN_EVENTS);
  const left = timeline.length - shown.length;
  return [
    `${head}  ${stateText(incident, colours)}, ${opened}`,
    `  ${finding.what}`,
    ...(incident.state === 'healed' ? [] : [`  ${colours.cyan('try')} ${finding.hint}`]),
    `  ${toldText(incident, nowMs)}`,
    ...(left > 0 ? [`  … ${formatCount(left, 'earlier event')}`] : []),
    ...shown.map(({ at, what, by }) => `  ${colours.dim(at)} ${what}${by === undefined ? '' : ` (${by})`}`),
  ].join('\n');
}

function stateText({ state, finding, acknowledgedBy }: IncidentState, colours: Colours): string {
  if (state === 'healed') return colours.green('healed');
  const severity = finding.severity === 'critical' ? colours.red(finding.severity) : colours.yellow(finding.severity);
  return state === 'acknowledged' ? `${severity}, acknowledged by ${acknowledgedBy ?? ''}` : `${severity}, open`;
}

function toldText({ level, levelName, nextAt, state }: IncidentState, nowMs: number): string {
  const told = level === 0 ? 'nobody was told' : `told up to level ${level} (${levelName ?? ''})`;
  if (nextAt === undefined || state === 'healed') return told;
  const what = state === 'acknowledged' ? 'the acknowledgement holds until' : 'next';
  return `${told}; ${what} ${nextAt} (${formatAge(Date.parse(nextAt), nowMs)})`;
}
