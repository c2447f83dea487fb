/** Appends numbered alarms to the log of a system, which is put aside again and again: system, name, how many. */
import { appendAlarms } from '../../src/notify/alarm-log.ts';

const [system = '', name = '', count = '0'] = process.argv.slice(2);
for (let n = 0; n < Number(count); n += 1) {
  const entry = {
    id: `${name}-${n}`,
    at: new Date().toISOString(),
    system,
    incident: 'disk/nas',
    severity: 'critical',
    what: 'opened',
  };
  await appendAlarms(system, [entry], { fileBytes: 2000, files: 1000 });
}
