#include "profile.h"

#include <algorithm>

#include "../decode/loops.h"

namespace gpusim {
namespace {

std::string file_of(const Code& code, const Instruction& source) {
  const auto file = code.module->files.find(source.file);
  return source.line && file != code.module->files.end() ? file->second : "";
}

void widen(int line, int* first, int* last) {
  if (line == 0) return;
  *first = *first == 0 ? line : std::min(*first, line);
  *last = std::max(*last, line);
}

void add_loops(const Code& code, const std::vector<Spot>& spots, std::vector<LoopFacts>* out) {
  const std::vector<BasicBlock> blocks = basic_blocks(code.code);
  const std::vector<Loop> loops = find_loops(blocks);
  std::vector<int> depth(loops.size(), 0);
  for (size_t i = 0; i < loops.size(); ++i) {
    const Loop& loop = loops[i];
    if (loop.parent >= 0) depth[i] = depth[static_cast<size_t>(loop.parent)] + 1;
    const auto header = static_cast<size_t>(blocks[static_cast<size_t>(loop.header)].first);
    LoopFacts facts = {};
    facts.function = code.function->name;
    facts.file = file_of(code, *code.code[header].source);
    facts.depth = depth[i];
    facts.innermost = loop.innermost;
    facts.iterations = spots[header].executions;
    for (int32_t b : loop.blocks)
      for (auto at = static_cast<size_t>(blocks[static_cast<size_t>(b)].first);
           at < static_cast<size_t>(blocks[static_cast<size_t>(b)].end); ++at) {
        const Instruction& source = *code.code[at].source;
        facts.warp_instructions[static_cast<int>(code.code[at].cls)] += spots[at].executions;
        widen(source.ptx_line, &facts.first_ptx_line, &facts.last_ptx_line);
        if (file_of(code, source) == facts.file) widen(source.line, &facts.first_line, &facts.last_line);
      }
    if (facts.iterations) out->push_back(std::move(facts));
  }
}

void add_lines(const Code& code, const std::vector<Spot>& spots, std::vector<LineFacts>* out) {
  std::map<std::string, LineFacts> lines;
  for (size_t at = 0; at < spots.size(); ++at) {
    if (!spots[at].bank_conflicts && !spots[at].excess_sectors) continue;
    const Instruction& source = *code.code[at].source;
    const std::string file = file_of(code, source);
    const std::string name = file.empty() ? "PTX line " + std::to_string(source.ptx_line) : file + ":" + std::to_string(source.line);
    LineFacts& line = lines[name];
    line.line = name;
    line.bank_conflicts += spots[at].bank_conflicts;
    line.excess_sectors += spots[at].excess_sectors;
  }
  for (auto& [name, line] : lines) out->push_back(std::move(line));
}

}  // namespace

void add_profile(const Counters& counters, LaunchFacts* facts) {
  for (const auto& [code, spots] : counters.spots) {
    add_loops(*static_cast<const Code*>(code), spots, &facts->loops);
    add_lines(*static_cast<const Code*>(code), spots, &facts->lines);
  }
}

}  // namespace gpusim
