/** Cron expressions of five fields, as calendars of plain numbers. Pure. */

/** A moment matches when every list holds its part of the wall clock; seconds are zero. */
export interface Calendar {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: readonly number[];
  /** 1 is January. */
  readonly months: readonly number[];
  /** 0 is Sunday. */
  readonly daysOfWeek: readonly number[];
}

interface Field {
  readonly word: string;
  readonly least: number;
  readonly most: number;
  /** Names that stand for `least` and what follows. */
  readonly names: readonly string[];
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const MINUTE: Field = { word: 'minute', least: 0, most: 59, names: [] };
const HOUR: Field = { word: 'hour', least: 0, most: 23, names: [] };
const DAY: Field = { word: 'day of the month', least: 1, most: 31, names: [] };
const MONTH: Field = { word: 'month', least: 1, most: 12, names: MONTHS };
/** 7 is Sunday too. */
const WEEKDAY: Field = { word: 'weekday', least: 0, most: 7, names: DAYS };

/**
 * Calendars of an expression as crontab(5) describes it: where day and weekday are both restricted, a day that matches
 * either counts, which takes two calendars. Throws RangeError with what is wrong, for people.
 */
export function parseCron(text: string): readonly Calendar[] {
  const fields = text.trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = fields;
  if (fields.length !== 5 || minute === undefined || hour === undefined || day === undefined) throw five();
  if (month === undefined || weekday === undefined) throw five();
  const days = parseField(DAY, day);
  const weekdays = [...new Set(parseField(WEEKDAY, weekday).map((one) => one % 7))].sort((a, b) => a - b);
  const common = {
    minutes: parseField(MINUTE, minute),
    hours: parseField(HOUR, hour),
    months: parseField(MONTH, month),
  };
  const either = !day.startsWith('*') && !weekday.startsWith('*');
  if (!either) return [{ ...common, daysOfMonth: days, daysOfWeek: weekdays }];
  return [
    { ...common, daysOfMonth: days, daysOfWeek: all(0, 6) },
    { ...common, daysOfMonth: all(1, 31), daysOfWeek: weekdays },
  ];
}

function five(): RangeError {
  return new RangeError('write five fields: minute hour day month weekday');
}

function parseField(field: Field, text: string): number[] {
  const found = new Set<number>();
  for (const part of text.split(',')) for (const value of parsePart(field, part)) found.add(value);
  return [...found].sort((a, b) => a - b);
}

/** `*`, `5`, `MON`, `1-5`, each but the last two with an optional `/step`. */
function parsePart(field: Field, part: string): number[] {
  const [range = '', step, ...rest] = part.split('/');
  if (rest.length > 0 || (step !== undefined && !/^[1-9]\d{0,2}$/.test(step))) throw bad(field, part);
  const by = step === undefined ? 1 : Number(step);
  if (range === '*') return all(field.least, field.most, by);
  const [from = '', to, ...more] = range.split('-');
  if (more.length > 0) throw bad(field, part);
  const first = parseValue(field, from);
  // `5/10` counts on to the end of the field.
  const last = to === undefined ? (step === undefined ? first : field.most) : parseValue(field, to);
  if (last < first) throw bad(field, part);
  return all(first, last, by);
}

function parseValue(field: Field, text: string): number {
  const named = field.names.indexOf(text.toUpperCase());
  if (named >= 0) return field.least + named;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= field.least && value <= field.most)) throw bad(field, text);
  return value;
}

function bad(field: Field, text: string): RangeError {
  return new RangeError(`\`${text}\` is no ${field.word}`);
}

export function all(least: number, most: number, by = 1): number[] {
  return Array.from({ length: Math.floor((most - least) / by) + 1 }, (_, index) => least + index * by);
}

/** Every hour of every day: the same in all time zones whose offset is whole hours. */
export function isEveryHour({ hours, daysOfMonth, months, daysOfWeek }: Calendar): boolean {
  return hours.length === 24 && daysOfMonth.length === 31 && months.length === 12 && daysOfWeek.length === 7;
}
