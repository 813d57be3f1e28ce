import type { LogFields, Logger } from '@flotilla/base';
import { type LogLevel, textLogger } from '@flotilla/host';

const names: Record<string, LogLevel> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  warn: 'warn',
  error: 'error',
  critical: 'error',
  off: 'error',
};

/** A logger whose level can be changed while it runs (`POST /logging?level=debug`). */
export class LeveledLogger implements Logger {
  #level: LogLevel;
  #inner: Logger;

  constructor(level: LogLevel) {
    this.#level = level;
    this.#inner = textLogger('proxy', { level });
  }

  get level(): LogLevel {
    return this.#level;
  }

  /** False for a word that is no level. */
  setLevel(name: string): boolean {
    const level = names[name];
    if (!level) return false;
    this.#level = level;
    this.#inner = textLogger('proxy', { level });
    return true;
  }

  debug(message: string, fields?: LogFields): void {
    this.#inner.debug(message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.#inner.info(message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.#inner.warn(message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.#inner.error(message, fields);
  }
  with(fields: LogFields): Logger {
    return this.#inner.with(fields);
  }
}
