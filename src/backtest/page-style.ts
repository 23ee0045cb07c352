/** Light, or dark if the reader's system is. */
export const STYLE = `
:root{color-scheme:light dark;--page:#f7f8fa;--card:#fff;--ink:#1c2430;--soft:#5b6675;--rule:#e2e6ec;--model:#2563c9;--length:#c2571a;--prompt:#2c8a57;--good:#1d7a46;--wait:#97690a;--bad:#b3372f}
@media (prefers-color-scheme:dark){:root{--page:#11151b;--card:#191f28;--ink:#e8ecf2;--soft:#9aa6b5;--rule:#2b3440;--model:#74a9f7;--length:#f0985e;--prompt:#6cc795;--good:#67c890;--wait:#e0b456;--bad:#f0857d}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:860px;padding:32px 20px 64px;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header p{margin:0;color:var(--soft)}
h1{margin:0 0 8px;font-size:44px;line-height:1.1}
h1.worth-it{color:var(--good)}h1.not-yet{color:var(--wait)}h1.no{color:var(--bad)}
header .meaning{color:var(--ink);font-size:18px}
header .explained{margin-top:6px;color:var(--bad);font-weight:600}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:24px 0}
.tiles div,section{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.tiles div{padding:14px 16px;display:flex;flex-direction:column}
.tiles span,.tiles small,.note{color:var(--soft);font-size:14px}
.tiles b{font-size:28px;line-height:1.2;font-variant-numeric:tabular-nums}
section{padding:18px 20px;margin:16px 0}
h2{margin:0;font-size:19px}
.note{margin:2px 0 12px}
figure{margin:0}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums}
.grid{stroke:var(--rule)}.grid.half{stroke:var(--soft);stroke-dasharray:3 4}
.band{fill:var(--model);fill-opacity:.14}
.line{fill:none;stroke:var(--model);stroke-width:2;stroke-linejoin:round}
.line.length{stroke:var(--length)}.line.prompt{stroke:var(--prompt)}
.dot{stroke:var(--model);stroke-width:8;stroke-linecap:round}.dot.length{stroke:var(--length)}.dot.prompt{stroke:var(--prompt)}
.whisker{stroke:var(--model);stroke-width:2;stroke-opacity:.4}
@media (max-width:560px){svg text{font-size:21px}.legend{padding-left:0}}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:8px 0 0;padding:0 0 0 46px;list-style:none;font-size:14px;color:var(--soft)}
.legend li::before{content:"";display:inline-block;width:18px;height:3px;margin-right:8px;vertical-align:middle;background:var(--model)}
.legend .length::before{background:var(--length)}.legend .prompt::before{background:var(--prompt)}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-size:15px;font-variant-numeric:tabular-nums}
th,td{padding:6px 14px 6px 0;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--soft);font-weight:500}
thead tr:has(th:empty:first-child:last-child),thead tr:not(:has(th:not(:empty))){display:none}
tbody tr:last-child td{border-bottom:0}
ul{margin:8px 0 0;padding-left:20px}
code{font:14px ui-monospace,monospace;background:var(--page);padding:1px 5px;border-radius:4px}
`
