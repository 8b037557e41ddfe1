// browser.js - Chromium, and pages opened in it as a user would: whatever they say or ask for is kept.
'use strict';
const path = require('path');
const {pathToFileURL} = require('url');

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

class Browser {
  static async start(packages, executable) {
    const browser = new Browser();
    const {chromium} = require(path.join(packages, 'playwright-core'));
    browser.chromium = await chromium.launch({executablePath: executable, args: ARGUMENTS});
    browser.axe = require('fs').readFileSync(path.join(packages, 'axe-core', 'axe.min.js'), 'utf8');
    browser.messages = [];
    browser.requests = [];
    return browser;
  }

  // A page in a window of its own; `options` are Playwright's of a context, and {hash, quiet}.
  async open(file, options = {}) {
    const {hash = '', waits = true, ...context} = options;
    const window = await this.chromium.newContext({viewport: {width: 1500, height: 900}, ...context});
    const page = await window.newPage(),
      url = pathToFileURL(file).href;
    page.on('console', message => this.messages.push(`${path.basename(file)}: ${message.type()}: ${message.text()}`));
    page.on('pageerror', error => this.messages.push(`${path.basename(file)}: ${error.stack}`));
    page.on('request', request => {
      const asked = request.url();
      if (!asked.startsWith('data:') && asked.split('#')[0] !== url) this.requests.push(asked);
    });
    await page.goto(url + hash);
    if (waits) await until(page, 'window.ready > 0');
    return page;
  }

  async close() {
    await this.chromium.close();
  }
}

// Waits for an expression to be true in the page. (Playwright's own way needs eval, which the page's policy forbids.)
async function until(page, expression, milliseconds = 20000) {
  const end = Date.now() + milliseconds;
  while (!(await page.evaluate(expression))) {
    if (Date.now() > end) throw new Error(`never true: ${expression}`);
    await page.waitForTimeout(15);
  }
}

module.exports = {Browser, until};
