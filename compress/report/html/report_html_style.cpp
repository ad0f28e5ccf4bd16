#include "compress/report/html/report_html_parts.h"

namespace lathe::reporting {

const std::string_view kPageStyle = R"(
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --muted: #59636e; --rule: #d8dee4; --faint: #eef1f4;
  --accent: #0b5cad; --before: #b0530a; --reference: #8a949e; --good: #136c34; --bad: #b3201c; --caution: #8a5300;
  --caution-back: #fff6e0; --stem: #b4bdc6;
  --p0: #0b5cad; --p1: #e08a1e; --p2: #2a8f6b; --p3: #9b4f96; --p4: #5aa9e6; --p5: #b8a01b; --p6: #c4524d;
  --p7: #8a949e; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e4e8ec; --muted: #9aa5b0; --rule: #343b42;
  --faint: #22272c; --accent: #5aa9f0; --before: #eda057; --reference: #7f8a95; --good: #58c07f; --bad: #ff8078;
  --caution: #e9b659; --caution-back: #2b2414; --stem: #4d5761;
  --p0: #4b96dc; --p1: #eda84f; --p2: #46b48c; --p3: #bd7fba; --p4: #93c9f2; --p5: #d6c24f; --p6: #e2807b;
  --p7: #7f8a95; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 28px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 44px 0 12px; padding-top: 14px; border-top: 1px solid var(--rule); font-weight: 650; }
h3 { font-size: 15px; margin: 26px 0 8px; font-weight: 650; overflow-wrap: anywhere; }
p { margin: 0 0 10px; max-width: 78ch; }
header p { color: var(--muted); margin: 6px 0 0; overflow-wrap: anywhere; }
.muted { color: var(--muted); }
.good { color: var(--good); } .bad { color: var(--bad); } .caution { color: var(--caution); }
.verdict { display: inline-block; margin-top: 12px; padding: 2px 10px; border: 1px solid; border-radius: 4px;
  font-weight: 650; font-size: 13px; letter-spacing: 0.04em; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; margin: 12px 0 0; }
.card { border: 1px solid var(--rule); border-radius: 6px; padding: 12px 16px 14px; margin: 0; }
.card dt { color: var(--muted); font-size: 13px; }
.card dd { margin: 0; font-variant-numeric: tabular-nums; }
.card .figure { font-size: 30px; line-height: 1.25; font-weight: 600; letter-spacing: -0.02em; }
.card .figure span { white-space: nowrap; margin-right: 7px; }
.card .figure small { display: inline-block; font-size: 15px; line-height: 1.2; font-weight: 400; letter-spacing: 0; }
.card .detail { font-size: 13px; color: var(--muted); }
.compact .card { padding: 8px 14px 10px; } .compact .card .figure { font-size: 21px; }
.scroll { overflow-x: auto; margin: 8px 0 14px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
table.wide { font-size: 12px; } table.wide th + th, table.wide th + td,
table.wide td + th, table.wide td + td { padding: 4px 6px; }
table.short { width: auto; min-width: 46%; }
th, td { text-align: left; padding: 5px 10px; border-bottom: 1px solid var(--faint); vertical-align: baseline;
  font-weight: 400; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-size: 12.5px; border-bottom-color: var(--rule); vertical-align: bottom; }
thead th[title] { text-decoration: underline dotted var(--rule); text-underline-offset: 3px; }
tbody th { white-space: normal; min-width: 150px; max-width: 360px; overflow-wrap: anywhere; }
table.wide tbody th { min-width: 180px; }
.number { text-align: right; } .missing, .of-reference { color: var(--muted); }
td.good, td.bad { font-weight: 650; }
tr:last-child td.total { border-top: 1px solid var(--rule); font-weight: 650; }
tr.noted > * { border-bottom: 0; background: var(--caution-back); }
tr.note td { background: var(--caution-back); color: var(--caution); white-space: normal; padding-top: 0; }
table.facts { width: auto; min-width: 0; } table.facts td:last-child { white-space: normal; overflow-wrap: anywhere; }
table.facts thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
table.facts td:first-child { color: var(--muted); padding-right: 28px; }
.chart { display: block; overflow: visible; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 4px 36px; }
.plot { padding: 0 2px 0 52px; }
.label, .tick { fill: var(--text); font-size: 13px; font-variant-numeric: tabular-nums; }
.tick { fill: var(--muted); font-size: 11.5px; } .end { text-anchor: end; } .strong { font-weight: 600; }
.grid { stroke: var(--faint); } .base { stroke: var(--rule); } .stem { stroke: var(--stem); stroke-width: 1.5; }
.track { fill: var(--faint); } rect.reference { fill: var(--reference); } rect.after { fill: var(--accent); }
circle.before { fill: var(--page); stroke: var(--before); stroke-width: 1.6; } circle.after { fill: var(--accent); }
.curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.curve.train { stroke: var(--reference); stroke-width: 1.3; } .curve.held { stroke: var(--accent); }
.curve.measure { stroke: var(--p2); } circle.train { fill: var(--reference); } circle.held { fill: var(--accent); }
circle.measure { fill: var(--p2); } .mark { stroke: var(--before); stroke-dasharray: 4 3; } .middle { text-anchor: middle; }
rect.sparsity { fill: var(--p2); } rect.bits { fill: var(--p3); }
.target { fill: transparent; } .target:hover { fill: var(--text); fill-opacity: 0.08; }
rect.c0 { fill: var(--p0); } rect.c1 { fill: var(--p1); } rect.c2 { fill: var(--p2); } rect.c3 { fill: var(--p3); }
rect.c4 { fill: var(--p4); } rect.c5 { fill: var(--p5); } rect.c6 { fill: var(--p6); } rect.c7 { fill: var(--p7); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 13px; max-width: none; }
.legend i { display: inline-block; width: 11px; height: 11px; margin-right: 7px; border-radius: 2px; }
.legend i.line { width: 18px; height: 0; border-top: 2px solid; vertical-align: 4px; border-radius: 0; }
i.train { color: var(--reference); } i.held { color: var(--accent); }
.legend i.kept { color: var(--before); border-top-style: dashed; }
i.dot { border-radius: 50%; } i.before { border: 2px solid var(--before); } i.after { background: var(--accent); }
i.c0 { background: var(--p0); } i.c1 { background: var(--p1); } i.c2 { background: var(--p2); }
i.c3 { background: var(--p3); } i.c4 { background: var(--p4); } i.c5 { background: var(--p5); }
i.c6 { background: var(--p6); } i.c7 { background: var(--p7); }
ul { margin: 0 0 10px; padding-left: 20px; max-width: 90ch; } li { margin: 3px 0; overflow-wrap: anywhere; }
details { margin: 8px 0; } summary { cursor: pointer; padding: 4px 0; }
pre { background: var(--faint); border-radius: 6px; padding: 12px 14px; overflow-x: auto; font-size: 12.5px;
  line-height: 1.45; font-family: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 600px) { main { padding: 24px 16px 48px; } h1 { font-size: 22px; }
  .cards { grid-template-columns: repeat(auto-fit, minmax(168px, 1fr)); gap: 8px; } .card { padding: 10px 12px; }
  .card .figure { font-size: 24px; } }
@media print { main { max-width: none; padding: 0; } .scroll { overflow: visible; } tr, .card { break-inside: avoid; } }
)";

}  // namespace lathe::reporting
