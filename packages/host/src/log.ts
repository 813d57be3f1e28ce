import type { LogFields, Logger } from '@flotilla/base';

const levels = { debug: 10, info: 20, warn: 30, error: 40 } as const;
export type LogLevel = keyof typeof levels;

function render(value: LogFields[string]): string {
  const text = String(value);
  return /[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text;
}

/** Lines of `time level component message key=value …` through `write`, stderr if absent. */
export function textLogger(
  component: string,
  options: { level?: LogLevel; fields?: LogFields; write?: (line: string) => void } = {},
): Logger {
  const least = levels[options.level ?? 'info'];
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const suffix = (fields: LogFields | undefined): string =>
    Object.entries({ ...options.fields, ...fields })
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => ` ${key}=${render(value)}`)
      .join('');
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (levels[level] < least) return;
    write(`${new Date().toISOString()} ${level.padEnd(5)} ${component} ${message}${suffix(fields)}\n`);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => textLogger(component, { ...options, fields: { ...options.fields, ...fields } }),
  };
}
